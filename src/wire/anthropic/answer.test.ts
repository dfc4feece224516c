import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { answers, streamed } from "../../../test/shapes/arbitraries.ts";
import { type AnswerEvent, answerOf, type FormAnswer } from "../form/answer.ts";
import { MessagePrinter, printAnswer } from "./print-answer.ts";
import { MessageReader, readAnswer } from "./read-answer.ts";

const CONTEXT = { requestId: "0-1", model: "m", asked: {}, createdSeconds: 1_700_000_000, wantsUsage: true };

/** Answers that this shape expresses whole: calls have objects for arguments, thoughts may be signed. */
const whole: fc.Arbitrary<FormAnswer> = fc
  .tuple(
    answers({ kinds: ["reasoning", "text"], reasons: ["end", "length", "refusal", "pause"] }),
    fc.option(fc.constantFrom("sig", "nature")),
    fc.option(fc.nat(50)),
  )
  .map(([answer, signature, cacheWriteTokens]) => ({
    ...answer,
    id: "msg_01",
    parts: answer.parts.map((part) => {
      if (part.head.kind === "reasoning") return { ...part, signature };
      return part.head.kind === "tool-call" && part.text === "" ? { ...part, text: "{}" } : part;
    }),
    // The counts that a stream begins with are not its usage.
    usage: answer.usage === null ? null : addWrites(answer.usage, cacheWriteTokens),
  }));

function addWrites(usage: NonNullable<FormAnswer["usage"]>, cacheWriteTokens: number | null) {
  const cached = (usage.cachedInputTokens ?? 0) + (cacheWriteTokens ?? 0);
  return { ...usage, cacheWriteTokens, inputTokens: (usage.inputTokens ?? 0) + cached };
}

/** The data of each event in printed server-sent events, whose name must be its type. */
function dataOf(text: string): readonly string[] {
  return text.split("\n\n").flatMap((event) => {
    if (event === "") return [];
    const [, name = "", data = ""] = /^event: (\w+)\ndata: (.*)$/.exec(event) ?? assert.fail(`no event: ${event}`);
    assert.equal((JSON.parse(data) as { type: string }).type, name);
    return [data];
  });
}

function readAll(events: readonly string[]): readonly AnswerEvent[] {
  const reader = new MessageReader();
  return events.flatMap((data) => reader.push(data) ?? assert.fail(`not read: ${data}`));
}

function printAll(events: readonly AnswerEvent[]): readonly string[] {
  const printer = new MessagePrinter(CONTEXT);
  return dataOf(events.map((event) => printer.push(event)).join(""));
}

const START = { type: "message_start", message: { id: "a", model: "m", usage: { input_tokens: 9, output_tokens: 1 } } };
const end = (usage: object): object => ({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage });
const json = (...events: readonly object[]): readonly string[] => events.map((event) => JSON.stringify(event));

describe("answers in the shape of Anthropic's messages", () => {
  test("a whole answer is printed and read as it was", () => {
    fc.assert(
      fc.property(whole, (answer) => {
        const printed: unknown = JSON.parse(JSON.stringify(printAnswer(answer, CONTEXT)));
        const read = readAnswer(printed);
        assert.ok(read !== null && !("kind" in read));
        // Every message has a usage, be it of unknowns.
        const usage = answer.usage ?? read.usage;
        assert.deepEqual(read, { ...answer, id: "msg_01", usage });
      }),
    );
  });

  test("a stream is printed and read as the same answer, however its texts were cut", () => {
    const cut = whole.chain((answer) => streamed(answer).map((events) => ({ answer, events })));
    fc.assert(
      fc.property(cut, ({ answer, events }) => {
        const read = answerOf(readAll(printAll(events)));
        assert.ok(read !== null);
        assert.deepEqual({ ...read, usage: null }, { ...answer, id: "msg_01", usage: null });
        if (answer.usage !== null) assert.deepEqual(read.usage, answer.usage);
      }),
    );
  });

  test("blocks follow one another, also where an upstream tells two calls by turns", () => {
    const call = (index: number): AnswerEvent => ({
      kind: "part",
      index,
      head: { kind: "tool-call", id: `${index}`, name: "f" },
    });
    const text = (index: number, words: string): AnswerEvent => ({ kind: "text", index, text: words });
    const events = printAll([
      { kind: "start", id: null, model: null },
      call(0),
      text(0, "{"),
      call(1),
      text(1, "[]"),
      text(0, "}"),
      { kind: "part-end", index: 1 },
      { kind: "part-end", index: 0 },
      { kind: "stop", reason: "tool-calls", stopSequence: null },
      { kind: "done" },
    ]).map((data) => JSON.parse(data) as { type: string; index?: number });
    const blocks = events.filter(({ index }) => index !== undefined).map(({ type, index }) => `${index} ${type}`);
    assert.deepEqual(
      blocks.map((block) => block.replace("content_block_", "")),
      ["0 start", "0 delta", "0 delta", "0 stop", "1 start", "1 delta", "1 stop"],
    );
  });

  test("counts are cumulative, the input includes the cache, and a start's output is no count", () => {
    const start = { input_tokens: 5, cache_read_input_tokens: 3, cache_creation_input_tokens: 2, output_tokens: 1 };
    const begun = readAll(json({ type: "message_start", message: { usage: start } }));
    const [, first] = begun;
    assert.ok(first?.kind === "usage");
    assert.deepEqual([first.usage.inputTokens, first.usage.outputTokens], [10, null]);
    const usages = readAll(
      json({ type: "message_start", message: { usage: start } }, end({ output_tokens: 7, input_tokens: null })),
    ).flatMap((event) => (event.kind === "usage" ? [event.usage] : []));
    assert.deepEqual(usages.at(-1), {
      inputTokens: 10,
      cachedInputTokens: 3,
      cacheWriteTokens: 2,
      outputTokens: 7,
      reasoningTokens: null,
      reportedCostNanoUsd: null,
    });
  });

  test("a call without arguments is one with an empty object", () => {
    const events = readAll(
      json(
        START,
        { type: "content_block_start", index: 0, content_block: { type: "tool_use", id: "1", name: "f", input: {} } },
        { type: "content_block_delta", index: 0, delta: { type: "input_json_delta", partial_json: "" } },
        { type: "content_block_stop", index: 0 },
        end({}),
        { type: "message_stop" },
      ),
    );
    assert.equal(answerOf(events)?.parts[0]?.text, "{}");
  });

  test("blocks and events that are not known are passed over; the parts around them keep their order", () => {
    const block = (index: number, content: object): readonly object[] => [
      { type: "content_block_start", index, content_block: content },
      { type: "content_block_delta", index, delta: { type: "text_delta", text: "x" } },
      { type: "content_block_stop", index },
    ];
    const unknown = { type: "server_tool_use", id: "s", name: "web_search", input: {} };
    const known = block(1, { type: "text", text: "" });
    const events = json(START, { type: "later_event" }, ...block(0, unknown), ...known, end({}), {
      type: "message_stop",
    });
    assert.deepEqual(
      answerOf(readAll(events))?.parts.map(({ head, text }) => [head.kind, text]),
      [["text", "x"]],
    );
  });

  test("what is out of order or cut short is not of this shape", () => {
    const broken = (...events: readonly object[]): boolean => {
      const reader = new MessageReader();
      return json(...events).some((data) => reader.push(data) === null);
    };
    const block = { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } };
    assert.ok(broken(block));
    assert.ok(broken(START, START));
    assert.ok(broken(START, block, block));
    assert.ok(broken(START, { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "x" } }));
    assert.ok(broken(START, { type: "content_block_stop", index: 0 }));
    assert.ok(broken(START, block, end({}), { type: "message_stop" }));
    assert.ok(broken({ type: "message_stop" }));
    const reader = new MessageReader();
    for (const data of json(START, end({}))) reader.push(data);
    assert.equal(reader.end(), null);
    reader.push(JSON.stringify({ type: "message_stop" }));
    assert.deepEqual(reader.end(), []);
  });

  test("a refusal's words are prose, and its end says that it was one", () => {
    const refused = { head: { kind: "refusal" as const }, text: "No.", signature: null, citations: [], logprobs: null };
    const stop = { reason: "end" as const, stopSequence: null };
    const printed = printAnswer({ id: null, model: null, parts: [refused], stop, usage: null }, CONTEXT);
    assert.deepEqual(printed["content"], [{ type: "text", text: "No.", citations: null }]);
    assert.equal(printed["stop_reason"], "refusal");
  });

  test("arbitrary JSON is read or refused, and never throws", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        readAnswer(value);
        readAnswer({ type: "message", stop_reason: "end_turn", content: value, usage: value });
        readAnswer({ type: "message", stop_reason: "end_turn", content: [value] });
        const reader = new MessageReader();
        reader.push(JSON.stringify(value));
        reader.push(JSON.stringify({ ...START, message: value }));
        reader.push(JSON.stringify({ type: "content_block_start", index: 0, content_block: value }));
        reader.push(JSON.stringify({ type: "content_block_start", index: 1, content_block: { type: "text" } }));
        reader.push(JSON.stringify({ type: "content_block_delta", index: 1, delta: value }));
        reader.push(JSON.stringify({ type: "message_delta", delta: value, usage: value }));
      }),
    );
  });
});
