import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { answers, streamed } from "../../../test/shapes/arbitraries.ts";
import { type AnswerEvent, answerOf } from "../form/answer.ts";
import { ChatPrinter, printChatAnswer } from "./print-answer.ts";
import { ChatReader, readChatAnswer } from "./read-answer.ts";

const CONTEXT = { requestId: "r", model: "m", asked: {}, createdSeconds: 1_700_000_000, wantsUsage: true };
const whole = answers({ kinds: ["reasoning", "text", "refusal"], reasons: ["end", "length", "content-filter"] });

/** The data of each event in printed server-sent events. */
function dataOf(text: string): readonly string[] {
  return text.split("\n\n").flatMap((event) => (event === "" ? [] : [event.slice("data: ".length)]));
}

function readAll(chunks: readonly string[]): readonly AnswerEvent[] {
  const reader = new ChatReader();
  return chunks.flatMap((data) => reader.push(data) ?? assert.fail(`not read: ${data}`));
}

const chunk = (delta: unknown, more: object = {}): string =>
  JSON.stringify({ id: "c", model: "m", choices: [{ index: 0, delta, finish_reason: null, ...more }] });

describe("answers in the shape of chat completions", () => {
  test("a whole answer is printed and read as it was", () => {
    fc.assert(
      fc.property(whole, (answer) => {
        const printed: unknown = JSON.parse(JSON.stringify(printChatAnswer(answer, CONTEXT)));
        assert.deepEqual(readChatAnswer(printed), answer);
      }),
    );
  });

  test("a stream is printed and read as the same answer, however its texts were cut", () => {
    const cut = whole.chain((answer) => streamed(answer).map((events) => ({ answer, events })));
    fc.assert(
      fc.property(cut, ({ answer, events }) => {
        const printer = new ChatPrinter(CONTEXT);
        const text = events.map((event) => printer.push(event)).join("");
        assert.deepEqual(answerOf(readAll(dataOf(text))), answer);
      }),
    );
  });

  test("arbitrary JSON is read or refused, and never throws", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        readChatAnswer(value);
        readChatAnswer({ choices: [value] });
        const reader = new ChatReader();
        reader.push(JSON.stringify(value));
        reader.push(JSON.stringify({ choices: [{ delta: value }] }));
        reader.push(JSON.stringify({ choices: [{ delta: { tool_calls: value } }] }));
      }),
    );
  });

  test("calls that are told by turns keep their own arguments", () => {
    const call = (index: number, fn: object, id?: string): unknown => ({ tool_calls: [{ index, id, function: fn }] });
    const events = readAll([
      chunk(call(0, { name: "a", arguments: "" }, "1")),
      chunk(call(1, { name: "b", arguments: "[" }, "2")),
      chunk(call(0, { arguments: "{}" })),
      chunk(call(1, { arguments: "]" })),
      chunk({}, { finish_reason: "tool_calls" }),
      "[DONE]",
    ]);
    const parts = answerOf(events)?.parts.map(({ head, text }) => ({ head, text }));
    assert.deepEqual(parts, [
      { head: { kind: "tool-call", id: "1", name: "a" }, text: "{}" },
      { head: { kind: "tool-call", id: "2", name: "b" }, text: "[]" },
    ]);
  });

  test("an engine that says `stop` after a call means the call, and one that names its stop sequence is believed", () => {
    const stopOf = (...chunks: readonly string[]): unknown => answerOf(readAll([...chunks, "[DONE]"]))?.stop;
    const called = chunk({ tool_calls: [{ index: 0, id: "1", function: { name: "a", arguments: "" } }] });
    assert.deepEqual(stopOf(called, chunk({}, { finish_reason: "stop" })), {
      reason: "tool-calls",
      stopSequence: null,
    });
    const found = chunk({ content: "x" }, { finish_reason: "stop", stop_reason: "END" });
    assert.deepEqual(stopOf(found), { reason: "stop-sequence", stopSequence: "END" });
  });

  test("a stream without a finish reason is cut short; one that only lacks [DONE] is not", () => {
    const reader = new ChatReader();
    reader.push(chunk({ content: "x" }));
    assert.equal(reader.end(), null);
    assert.equal(reader.push("[DONE]"), null);
    reader.push(chunk({}, { finish_reason: "stop" }));
    assert.deepEqual(reader.end(), [{ kind: "done" }]);
  });

  test("log probabilities go out with the text that they are of", () => {
    const token = { token: "Hi", bytes: [72, 105], logprob: -0.5, top: [{ token: "Ho", bytes: null, logprob: -1 }] };
    const printer = new ChatPrinter(CONTEXT);
    const events: readonly AnswerEvent[] = [
      { kind: "start", id: "c", model: "m" },
      { kind: "part", index: 0, head: { kind: "text" } },
      { kind: "logprobs", index: 0, tokens: [token] },
      { kind: "text", index: 0, text: "Hi" },
      { kind: "part-end", index: 0 },
      { kind: "stop", reason: "end", stopSequence: null },
      { kind: "done" },
    ];
    const chunks = dataOf(events.map((event) => printer.push(event)).join(""));
    assert.equal(chunks.filter((data) => data.includes('"logprob"')).length, 1);
    assert.deepEqual(answerOf(readAll(chunks))?.parts[0]?.logprobs, [token]);
  });
});
