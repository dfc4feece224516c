import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { geminiFault } from "../../../test/clouds/fake-gemini.ts";
import { answers, plain } from "../../../test/shapes/arbitraries.ts";
import { BARE, requests } from "../../../test/shapes/conversations.ts";
import { type AnswerEvent, answerOf, type FormAnswer } from "../form/answer.ts";
import { printGeminiRequest } from "./print-request.ts";
import { GeminiReader, readGeminiAnswer } from "./read-answer.ts";
import { GEMINI } from "./shape.ts";

/** Chunks as Gemini would tell an answer, one for each piece of it. */
function chunksOf({ id, model, parts, stop, usage }: FormAnswer): readonly object[] {
  const head = { responseId: id, modelVersion: model };
  const chunk = (content: object, more: object = {}): object => ({ ...head, candidates: [{ content, ...more }] });
  const told = parts.flatMap(({ head: part, text }) => {
    if (part.kind !== "tool-call") {
      const thought = part.kind === "reasoning" ? { thought: true } : {};
      const pieces = text.match(/.{1,3}/gsu) ?? [];
      return pieces.map((piece) => chunk({ role: "model", parts: [{ text: piece, ...thought }] }));
    }
    const args: unknown = JSON.parse(text);
    return [chunk({ role: "model", parts: [{ functionCall: { id: part.id, name: part.name, args } }] })];
  });
  const words = { end: "STOP", length: "MAX_TOKENS", "content-filter": "SAFETY", "tool-calls": "STOP" } as const;
  const finishReason = words[stop.reason as keyof typeof words];
  const counts = usage === null ? {} : { usageMetadata: countsOf(usage) };
  return [...told, { ...chunk({}, { finishReason }), ...counts }];
}

function countsOf({
  inputTokens,
  cachedInputTokens,
  outputTokens,
  reasoningTokens,
}: NonNullable<FormAnswer["usage"]>): object {
  return plain({
    promptTokenCount: inputTokens,
    cachedContentTokenCount: cachedInputTokens ?? undefined,
    candidatesTokenCount: (outputTokens ?? 0) - (reasoningTokens ?? 0),
    thoughtsTokenCount: reasoningTokens ?? undefined,
  });
}

/** What Gemini can tell: its calls have arguments, and it thinks within what it puts out. */
const told = answers({ kinds: ["reasoning", "text"], reasons: ["end", "length", "content-filter"] }).map((answer) => ({
  ...answer,
  parts: answer.parts.map((part) => (part.text === "" ? { ...part, text: "{}" } : part)),
  usage:
    answer.usage === null
      ? null
      : { ...answer.usage, outputTokens: (answer.usage.outputTokens ?? 0) + (answer.usage.reasoningTokens ?? 0) },
}));

function readAll(chunks: readonly object[]): readonly AnswerEvent[] | null {
  const reader = new GeminiReader();
  const events = chunks.flatMap((chunk) => reader.push(JSON.stringify(chunk)) ?? assert.fail(JSON.stringify(chunk)));
  const end = reader.end();
  return end === null ? null : [...events, ...end];
}

/** One whole chunk of all parts. */
function wholeOf(chunks: readonly object[]): object {
  const all = chunks as readonly {
    readonly candidates: readonly { readonly content: { readonly parts?: object[] } }[];
  }[];
  const last = all.at(-1) ?? assert.fail("no chunks");
  const parts = all.flatMap(({ candidates }) => candidates[0]?.content.parts ?? []);
  return { ...last, candidates: [{ ...last.candidates[0], content: { role: "model", parts } }] };
}

const said = (parts: readonly object[], more: object = {}): object => ({
  responseId: "r",
  candidates: [{ content: { parts }, ...more }],
});

describe("answers of Gemini", () => {
  test("a stream and the same answer whole are read as what was told", () => {
    fc.assert(
      fc.property(told, (answer) => {
        const chunks = chunksOf(answer);
        assert.deepEqual(answerOf(readAll(chunks) ?? []), answer);
        assert.deepEqual(readGeminiAnswer(wholeOf(chunks)), answer);
      }),
    );
  });

  test("arbitrary JSON is read or refused, and never throws", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const wrapped = [value, { candidates: value }, { candidates: [value] }, said([value as object])];
        const deeper = [{ candidates: [{ content: value, citationMetadata: value, groundingMetadata: value }] }];
        const beside = [{ ...said([{ text: "x" }]), usageMetadata: value, promptFeedback: value }];
        for (const each of [...wrapped, ...deeper, ...beside]) {
          readGeminiAnswer(each);
          const reader = GEMINI.reader();
          reader.push(JSON.stringify(each));
          reader.end();
        }
      }),
    );
  });

  test("a prompt that is blocked is an answer that was filtered, and has no parts", () => {
    const blocked = { promptFeedback: { blockReason: "SAFETY" }, usageMetadata: { promptTokenCount: 4 } };
    const answer = readGeminiAnswer(blocked);
    assert.ok(answer !== null && "parts" in answer);
    assert.deepEqual([answer.parts, answer.stop.reason], [[], "content-filter"]);
    assert.deepEqual([answer.usage?.inputTokens, answer.usage?.outputTokens], [4, null]);
  });

  test("an answer in which the model broke down, or whose content has no word elsewhere, is a failure", () => {
    const broke = said([], { finishReason: "MALFORMED_FUNCTION_CALL", finishMessage: "bad call" });
    assert.deepEqual(readGeminiAnswer(broke), { kind: "failed", message: "the model broke off: bad call" });
    const picture = said([{ inlineData: { mimeType: "image/png", data: "AA" } }], { finishReason: "STOP" });
    assert.ok("kind" in (readGeminiAnswer(picture) ?? {}));
    assert.deepEqual(readGeminiAnswer({ error: { code: 503, message: "overloaded" } }), {
      kind: "failed",
      message: "overloaded",
    });
  });

  test("a stream is whole only with its reason to end", () => {
    assert.equal(readAll([said([{ text: "x" }])]), null);
    assert.equal(readGeminiAnswer(said([{ text: "x" }])), null);
  });

  test("calls without ids get ones of their own that other APIs take", () => {
    const call = { functionCall: { name: "f" } };
    const answer = readGeminiAnswer({
      ...said([call, call], { finishReason: "STOP" }),
      responseId: "a/b+c".repeat(20),
    });
    assert.ok(answer !== null && "parts" in answer);
    const ids = answer.parts.map(({ head }) => (head.kind === "tool-call" ? head.id : ""));
    assert.equal(new Set(ids).size, 2);
    for (const id of ids) assert.match(id, /^[\w-]{1,40}$/);
    assert.deepEqual([answer.parts[0]?.text, answer.stop.reason], ["{}", "tool-calls"]);
  });

  test("sources are told once, at the UTF-16 places of the words that they are for", () => {
    const groundingMetadata = {
      groundingChunks: [{ web: { uri: "https://example.org", title: "Example" } }],
      groundingSupports: [
        { segment: { startIndex: 5, endIndex: 12, text: "Grüße" }, groundingChunkIndices: [0] },
        { segment: { startIndex: 90, endIndex: 95, text: "else" }, groundingChunkIndices: [0] },
      ],
    };
    const events = readAll([
      said([{ text: "😀 Grü" }], {}),
      said([{ text: "ße" }], { groundingMetadata: { ...groundingMetadata } }),
      said([], { groundingMetadata, finishReason: "STOP" }),
    ]);
    const citations = answerOf(events ?? [])?.parts[0]?.citations ?? [];
    assert.deepEqual(
      citations.map(({ url, citedText, start, end }) => [url, citedText, start, end]),
      [
        ["https://example.org", "Grüße", 3, 8],
        ["https://example.org", "else", null, null],
      ],
    );
  });

  test("a thought keeps its signature, marked as Gemini's, even one that comes after it; prose has none", () => {
    const events = readAll([
      said([{ text: "Hm", thought: true }]),
      said([{ text: "", thought: true, thoughtSignature: "YQ==" }]),
      said([{ text: "Rain.", thoughtSignature: "Yg==" }], { finishReason: "STOP" }),
    ]);
    const signatures = answerOf(events ?? [])?.parts.map(({ head, signature }) => [head.kind, signature]);
    assert.deepEqual(signatures, [
      ["reasoning", "gemini:YQ=="],
      ["text", null],
    ]);
  });

  test("log probabilities belong to their text", () => {
    const logprobsResult = {
      chosenCandidates: [{ token: "Hi", logProbability: -0.5 }],
      topCandidates: [{ candidates: [{ token: "Ho", logProbability: -1 }] }],
    };
    const answer = readGeminiAnswer(said([{ text: "Hi" }], { finishReason: "STOP", logprobsResult }));
    assert.ok(answer !== null && "parts" in answer);
    const top = [{ token: "Ho", bytes: null, logprob: -1 }];
    assert.deepEqual(answer.parts[0]?.logprobs, [{ token: "Hi", bytes: null, logprob: -0.5, top }]);
  });
});

describe("requests in Gemini's shape", () => {
  test("whatever is asked, what is printed is what a strict service takes", () => {
    fc.assert(
      fc.property(requests, (request) => {
        const { body } = printGeminiRequest(request);
        assert.equal(geminiFault(JSON.parse(JSON.stringify(body))), null);
      }),
    );
  });

  test("a signature goes back to Gemini alone, and a call without one says so where the model wants it", () => {
    const call = { kind: "tool-call", id: "1", name: "f", argumentsJson: "{}" } as const;
    const thought = { kind: "reasoning", text: "t", encrypted: null } as const;
    const printed = (model: string): unknown =>
      printGeminiRequest({
        ...BARE,
        model,
        turns: [
          { role: "user", name: null, parts: [{ kind: "text", text: "Hi" }] },
          {
            role: "assistant",
            name: null,
            parts: [
              { ...thought, signature: "gemini:a" },
              { ...thought, signature: "b" },
              call,
              { ...call, signature: "c" },
            ],
          },
        ],
      }).body["contents"];
    const functionCall = { id: "1", name: "f", args: {} };
    const [, older] = printed("gemini-2.5-pro") as readonly unknown[];
    assert.deepEqual(older, {
      role: "model",
      parts: [{ text: "t", thought: true, thoughtSignature: "a" }, { functionCall }, { functionCall }],
    });
    const [, newer] = printed("gemini-3-pro-preview") as readonly { readonly parts: readonly object[] }[];
    assert.deepEqual(newer?.parts[1], { functionCall, thoughtSignature: "skip_thought_signature_validator" });
  });
});
