import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Answer, AnswerReader } from "./answer.ts";

const SSE = "text/event-stream; charset=utf-8";

const delta = (content: string): string => JSON.stringify({ choices: [{ delta: { content }, finish_reason: null }] });
const FINISH = JSON.stringify({ choices: [{ delta: {}, finish_reason: "stop" }] });
const USAGE = JSON.stringify({ choices: [], usage: { prompt_tokens: 12, completion_tokens: 9 } });
const event = (data: string): string => `data: ${data}\n\n`;

/** Feeds texts at 100, 110, 130, 160 … milliseconds. */
function read(texts: readonly string[], head = { status: 200, type: SSE, stream: true }) {
  const gaps: number[] = [];
  const reader = new AnswerReader(head.stream, (ms) => gaps.push(ms));
  reader.head(head.status, head.type);
  texts.forEach((text, index) => reader.take(Buffer.from(text), 100 + 5 * index * (index + 1)));
  return { answer: reader.end(), gaps };
}

const failureOf = (answer: Answer): string | undefined => answer.failure?.code;

test("content is timed, roles and finish reasons are not, usage is believed", () => {
  const texts = [delta(""), delta("Hel"), delta("lo"), FINISH, USAGE, "[DONE]"].map(event);
  const { answer, gaps } = read(texts);
  assert.deepEqual(answer, { failure: null, firstMs: 110, inputTokens: 12, outputTokens: 9, outputBy: "usage" });
  assert.deepEqual(gaps, [20]);
});

test("without usage the chunks with content are counted, and labelled as such", () => {
  const { answer } = read([event(delta("a")) + event(delta("b")), event(FINISH)]);
  assert.deepEqual(answer, { failure: null, firstMs: 100, inputTokens: null, outputTokens: 2, outputBy: "chunks" });
});

test("however the bytes are cut, the same is read", () => {
  const bytes = Buffer.from([delta("wörld"), delta(" 🌍"), FINISH, USAGE, "[DONE]"].map(event).join(": comment\n\n"));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 8 }), (cuts) => {
      const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const gaps: number[] = [];
      const reader = new AnswerReader(true, (ms) => gaps.push(ms));
      reader.head(200, SSE);
      edges.slice(1).forEach((edge, index) => reader.take(bytes.subarray(edges[index], edge), 5));
      const wanted = { failure: null, firstMs: 5, inputTokens: 12, outputTokens: 9, outputBy: "usage" };
      assert.deepEqual(reader.end(), wanted);
      assert.deepEqual(gaps, [0]);
    }),
  );
});

test("each way to fail has its code", () => {
  const error = JSON.stringify({ error: { message: "no", type: "server_error", code: null } });
  assert.equal(failureOf(read([event(delta("a"))]).answer), "truncated");
  assert.equal(failureOf(read([event(delta("a")), event(error)]).answer), "stream server_error");
  assert.equal(failureOf(read([event("not JSON")]).answer), "bad_response");
  const json = { type: "application/json", stream: true };
  const limited = '{"error":{"message":"slow down","code":"rate_limit_exceeded"}}';
  assert.deepEqual(read([limited], { ...json, status: 429 }).answer.failure, {
    code: "429 rate_limit_exceeded",
    message: "slow down",
  });
  assert.equal(failureOf(read(["<html>"], { ...json, status: 502 }).answer), "502");
  assert.equal(failureOf(read(["<html>"], { ...json, status: 200 }).answer), "bad_response");
  assert.equal(failureOf(read(["{}"], { ...json, status: 200, stream: false }).answer), "bad_response");
});

test("a whole answer has no first content, and no tokens unless it says so", () => {
  const head = { status: 200, type: "application/json", stream: false };
  const whole = { choices: [{ message: { content: "Hello" }, finish_reason: "stop" }] };
  const bare = { failure: null, firstMs: null, inputTokens: null, outputTokens: null, outputBy: "unknown" };
  assert.deepEqual(read([JSON.stringify(whole)], head).answer, bare);
  const counted = JSON.stringify({ ...whole, usage: { prompt_tokens: 0, completion_tokens: 7 } });
  const { answer } = read([counted.slice(0, 30), counted.slice(30)], head);
  assert.deepEqual(answer, { ...bare, inputTokens: 0, outputTokens: 7, outputBy: "usage" });
});
