import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { bedrockFault, converseAnswer } from "../../../test/clouds/fake-bedrock.ts";
import { answers, plain } from "../../../test/shapes/arbitraries.ts";
import { BARE, requests } from "../../../test/shapes/conversations.ts";
import { type AnswerEvent, answerOf, type FormAnswer } from "../form/answer.ts";
import type { FormPart, FormRequest } from "../form/request.ts";
import { printBedrockRequest } from "./print-request.ts";
import { BedrockReader, readBedrockAnswer } from "./read-answer.ts";
import { BEDROCK } from "./shape.ts";

const STOPS = { end: "end_turn", length: "max_tokens", "content-filter": "content_filtered", "tool-calls": "tool_use" };

function usageOf({ inputTokens, cachedInputTokens, outputTokens }: NonNullable<FormAnswer["usage"]>): object {
  const inputs = { inputTokens: (inputTokens ?? 0) - (cachedInputTokens ?? 0), outputTokens };
  return plain({ ...inputs, totalTokens: 0, cacheReadInputTokens: cachedInputTokens ?? undefined });
}

/** The blocks of Converse's whole answer. */
function blocksOf({ parts }: FormAnswer): readonly object[] {
  return parts.map(({ head, text }) => {
    if (head.kind === "reasoning") return { reasoningContent: { reasoningText: { text } } };
    if (head.kind !== "tool-call") return { text };
    const input: unknown = JSON.parse(text);
    return { toolUse: { toolUseId: head.id, name: head.name, input } };
  });
}

/** The events of ConverseStream, a few characters each. */
function eventsOf({ parts, stop, usage }: FormAnswer): readonly object[] {
  const told = parts.flatMap(({ head, text }, contentBlockIndex): readonly object[] => {
    const delta = (piece: string): object => {
      if (head.kind === "tool-call") return { toolUse: { input: piece } };
      return head.kind === "reasoning" ? { reasoningContent: { text: piece } } : { text: piece };
    };
    const pieces = (text.match(/.{1,3}/gsu) ?? []).map((piece) => ({
      contentBlockDelta: { contentBlockIndex, delta: delta(piece) },
    }));
    const toolUse = head.kind === "tool-call" ? { toolUseId: head.id, name: head.name } : null;
    const start = toolUse === null ? [] : [{ contentBlockStart: { contentBlockIndex, start: { toolUse } } }];
    return [...start, ...pieces, { contentBlockStop: { contentBlockIndex } }];
  });
  const stopReason = STOPS[stop.reason as keyof typeof STOPS];
  const counts = usage === null ? {} : { usage: usageOf(usage) };
  return [{ messageStart: { role: "assistant" } }, ...told, { messageStop: { stopReason } }, { metadata: counts }];
}

/** What Bedrock can tell: it names neither answer nor model, does not count thoughts, and its calls have arguments. */
const told = answers({ kinds: ["reasoning", "text"], reasons: ["end", "length", "content-filter"] }).map((answer) => ({
  ...answer,
  id: null,
  model: null,
  parts: answer.parts.map((part) => (part.text === "" ? { ...part, text: "{}" } : part)),
  usage: answer.usage === null ? null : { ...withinInput(answer.usage), reasoningTokens: null },
}));

function withinInput(usage: NonNullable<FormAnswer["usage"]>): NonNullable<FormAnswer["usage"]> {
  return { ...usage, inputTokens: (usage.inputTokens ?? 0) + (usage.cachedInputTokens ?? 0) };
}

function readAll(events: readonly object[]): readonly AnswerEvent[] {
  const reader = new BedrockReader();
  return events.flatMap((event) => reader.push(JSON.stringify(event)) ?? assert.fail(JSON.stringify(event)));
}

describe("answers of Bedrock", () => {
  test("a stream and the same answer whole are read as what was told", () => {
    fc.assert(
      fc.property(told, (answer) => {
        assert.deepEqual(answerOf(readAll(eventsOf(answer))), answer);
        const stopReason = STOPS[answer.stop.reason as keyof typeof STOPS];
        const usage = answer.usage === null ? null : usageOf(answer.usage);
        assert.deepEqual(readBedrockAnswer(converseAnswer(blocksOf(answer), { stopReason, usage })), answer);
      }),
    );
  });

  test("arbitrary JSON is read or refused, and never throws", () => {
    const kinds = ["contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "other"];
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const reader = BEDROCK.reader();
        reader.push(JSON.stringify(value));
        for (const kind of kinds) reader.push(JSON.stringify({ [kind]: value }));
        for (const member of ["text", "toolUse", "reasoningContent", "citation"]) {
          reader.push(JSON.stringify({ contentBlockDelta: { contentBlockIndex: 0, delta: { [member]: value } } }));
          readBedrockAnswer(converseAnswer([value, { [member]: value }, { citationsContent: value }]));
        }
        reader.end();
        readBedrockAnswer(value);
      }),
    );
  });

  test("thoughts keep their proofs, those that only the provider reads are told whole", () => {
    const delta = (contentBlockIndex: number, reasoningContent: object): object => ({
      contentBlockDelta: { contentBlockIndex, delta: { reasoningContent } },
    });
    const events = readAll([
      { messageStart: { role: "assistant" } },
      delta(0, { text: "Hm" }),
      delta(0, { signature: "c2ln" }),
      { contentBlockStop: { contentBlockIndex: 0 } },
      delta(1, { redactedContent: "AAAA" }),
      delta(1, { redactedContent: "BBBB" }),
      { contentBlockStop: { contentBlockIndex: 1 } },
      { messageStop: { stopReason: "end_turn" } },
      { metadata: { usage: { inputTokens: 4, outputTokens: 5, cacheReadInputTokens: 2, cacheWriteInputTokens: 1 } } },
    ]);
    const answer = answerOf(events);
    assert.deepEqual(
      answer?.parts.map(({ head, text, signature }) => [head, text, signature]),
      [
        [{ kind: "reasoning" }, "Hm", "c2ln"],
        [{ kind: "encrypted-reasoning", data: "AAAABBBB" }, "", null],
      ],
    );
    const { inputTokens, cachedInputTokens, cacheWriteTokens } = answer.usage ?? {};
    assert.deepEqual([inputTokens, cachedInputTokens, cacheWriteTokens], [7, 2, 1]);
  });

  test("a call without arguments has none, and cited words name their source", () => {
    const answer = readBedrockAnswer(
      converseAnswer([
        {
          citationsContent: {
            content: [{ text: "It rains." }],
            citations: [
              { title: "Weather", sourceContent: [{ text: "rain" }], location: { web: { url: "https://w.org" } } },
            ],
          },
        },
        { toolUse: { toolUseId: "t", name: "f" } },
      ]),
    );
    assert.ok(answer !== null && "parts" in answer);
    const [cited, call] = answer.parts;
    assert.deepEqual(
      [cited?.text, cited?.citations[0]?.url, cited?.citations[0]?.citedText],
      ["It rains.", "https://w.org", "rain"],
    );
    assert.equal(call?.text, "{}");
    const streamed = readAll([
      { messageStart: {} },
      { contentBlockStart: { contentBlockIndex: 0, start: { toolUse: { toolUseId: "t", name: "f" } } } },
      { contentBlockStop: { contentBlockIndex: 0 } },
      { messageStop: { stopReason: "tool_use" } },
      { metadata: {} },
    ]);
    assert.equal(answerOf(streamed)?.parts[0]?.text, "{}");
  });

  test("exceptions and answers in which the model broke down are failures, and a stream without its end is cut short", () => {
    const reader = new BedrockReader();
    assert.deepEqual(reader.push('{"throttlingException":{"message":"slow down"}}'), [
      { kind: "failed", message: "slow down" },
    ]);
    const broke = readBedrockAnswer(converseAnswer([{ text: "x" }], { stopReason: "malformed_tool_use" }));
    assert.deepEqual(broke, { kind: "failed", message: "the model broke off: malformed_tool_use" });
    const cut = new BedrockReader();
    cut.push('{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"x"}}}');
    assert.equal(cut.end(), null);
    cut.push('{"messageStop":{"stopReason":"end_turn"}}');
    assert.deepEqual(cut.end(), [{ kind: "done" }]);
  });
});

describe("requests in Bedrock's shape", () => {
  test("whatever is asked, what is printed is what a strict service takes", () => {
    fc.assert(
      fc.property(requests, (request) => {
        const { body } = printBedrockRequest(request);
        // A conversation with calls and without tools is the client's own mistake, which the service tells it.
        const fault = bedrockFault(JSON.parse(JSON.stringify(body)));
        assert.equal(fault, null);
      }),
    );
  });

  const printed = (change: Partial<FormRequest>) => printBedrockRequest({ ...BARE, ...change });
  const turn = (role: "user" | "assistant", ...parts: readonly FormPart[]) => ({ role, name: null, parts });

  test("ids that Bedrock does not take are others, the same for call and result", () => {
    const id = "call/é".repeat(30);
    const { body } = printed({
      turns: [
        ...BARE.turns,
        turn("assistant", { kind: "tool-call", id, name: "f", argumentsJson: "{}" }),
        turn("user", { kind: "tool-result", callId: id, content: [{ kind: "text", text: "x" }], isError: true }),
      ],
    });
    const ids = [...JSON.stringify(body).matchAll(/"toolUseId":"([^"]*)"/g)].map((match) => match[1]);
    assert.equal(ids.length, 2);
    assert.equal(ids[0], ids[1]);
    assert.match(ids[0] ?? "", /^[\w-]{1,64}$/);
    assert.ok(JSON.stringify(body).includes('"status":"error"'));
  });

  test("how to think is asked in the words of the model's maker", () => {
    const effort = (model: string, word: string, maxOutputTokens: number | null = null): unknown => {
      const reasoning = { enabled: true, effort: word, budgetTokens: null, summary: null };
      return printed({ model, reasoning, maxOutputTokens }).body["additionalModelRequestFields"];
    };
    assert.deepEqual(effort("anthropic.claude-sonnet-4-5-20250929-v1:0", "medium"), {
      thinking: { type: "enabled", budget_tokens: 8192 },
    });
    assert.deepEqual(effort("anthropic.claude-3-7-sonnet-20250219-v1:0", "high", 4000), {
      thinking: { type: "enabled", budget_tokens: 3999 },
    });
    assert.equal(effort("anthropic.claude-3-7-sonnet-20250219-v1:0", "high", 500), undefined);
    assert.deepEqual(effort("us.anthropic.claude-opus-4-6-v1", "minimal"), {
      thinking: { type: "adaptive" },
      output_config: { effort: "low" },
    });
    assert.deepEqual(effort("openai.gpt-oss-120b-1:0", "low"), { reasoning_effort: "low" });
    assert.deepEqual(effort("amazon.nova-2-lite-v1:0", "high"), {
      reasoningConfig: { type: "enabled", maxReasoningEffort: "high" },
    });
    const { losses } = printed({
      model: "meta.llama3-3-70b-instruct-v1:0",
      reasoning: { enabled: true, effort: "low", budgetTokens: null, summary: null },
    });
    assert.deepEqual(
      losses.map(({ isHint }) => isHint),
      [true],
    );
  });

  test("without tools there are no calls, and what cannot be asked for is told", () => {
    const tool = { name: "f", description: null, parameters: null, strict: null };
    const none = printed({ tools: [tool], toolChoice: { kind: "none" } });
    assert.deepEqual([none.body["toolConfig"], none.losses], [undefined, []]);
    const asked = printed({
      format: { kind: "json" },
      parallelToolCalls: false,
      sampling: { ...BARE.sampling, seed: 1, frequencyPenalty: 0, topLogprobs: 2 },
      turns: [...BARE.turns, { role: "system", name: null, parts: [{ kind: "text", text: "Late." }] }],
    });
    const paths = asked.losses.filter(({ isHint }) => !isHint).map(({ path }) => path);
    assert.deepEqual(paths.toSorted(), [
      "logprobs",
      "parallel_tool_calls",
      "response_format",
      "seed",
      "turn 1 (system)",
    ]);
  });
});
