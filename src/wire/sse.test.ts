import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { printSse, sseData, SSE_DONE, SseSplitter } from "./sse.ts";

/** What a stream of these chunks says: each event's bytes and its data. */
function readAll(chunks: readonly Buffer[]): {
  readonly events: string[];
  readonly data: (string | null)[];
  rest: number;
} {
  const splitter = new SseSplitter();
  const events: string[] = [];
  const data: (string | null)[] = [];
  for (const chunk of chunks) {
    const { run, ends } = splitter.push(chunk);
    assert.equal(run.length, ends.at(-1) ?? 0, "a run is whole events and nothing else");
    let start = 0;
    for (const end of ends) {
      events.push(run.toString("utf8", start, end));
      data.push(sseData(run, start, end));
      start = end;
    }
  }
  return { events, data, rest: splitter.restBytes };
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

const lineEnd = fc.constantFrom("\n", "\r\n");
// Line ends inside a line would make two of it.
const words = fc.string({ unit: "grapheme", maxLength: 12 }).map((text) => text.replaceAll(/[\r\n]/g, " "));
const line = fc.oneof(
  words.map((text) => `data: ${text}`),
  words.map((text) => `data:${text}`),
  words.map((text) => `: ${text}`),
  words.map((text) => `date: ${text}`),
  fc.constantFrom("data", "event: ping", "id: 7", ""),
);
const stream = fc
  .array(fc.tuple(line, lineEnd), { maxLength: 30 })
  .map((lines) => Buffer.from(lines.map(([text, end]) => text + end).join("")));

test("any split of the bytes gives the same events as the bytes in one piece", () => {
  fc.assert(
    fc.property(stream, fc.array(fc.nat({ max: 2000 }), { maxLength: 12 }), (bytes, cuts) => {
      const whole = readAll([bytes]);
      assert.deepEqual(readAll(cutAt(bytes, cuts)), whole);
      assert.deepEqual(readAll(Array.from(bytes, (byte) => Buffer.from([byte]))), whole);
      assert.equal(whole.events.join("").length > 0 || whole.events.length === 0, true);
    }),
    { numRuns: 500 },
  );
});

test("events and what is left over are the bytes that came, none lost and none made up", () => {
  fc.assert(
    fc.property(stream, (bytes) => {
      const { events, rest } = readAll([bytes]);
      assert.equal(events.join("") + bytes.toString("utf8", bytes.length - rest), bytes.toString("utf8"));
    }),
  );
});

/** The data of one event by the standard's own steps, line by line. */
function dataBySteps(event: string): string | null {
  let data: string | null = null;
  for (const text of event.split(/\r\n|\n/)) {
    const colon = text.indexOf(":");
    const field = colon === -1 ? text : text.slice(0, colon);
    const value = colon === -1 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data = data === null ? value : `${data}\n${value}`;
  }
  return data;
}

test("the data of an event is what the standard's own steps give, whatever lines and line ends it has", () => {
  fc.assert(
    fc.property(stream, (bytes) => {
      const { events, data } = readAll([bytes]);
      assert.deepEqual(data, events.map(dataBySteps));
    }),
    { numRuns: 500 },
  );
});

test("lines of one event are joined, comments and other fields have no data", () => {
  const { data } = readAll([
    Buffer.from("data: a\ndata: b\n\n: comment\n\nevent: x\ndata:c\r\n\r\ndate: today\n\ndata\n\ndata: d\r\n\n"),
  ]);
  assert.deepEqual(data, ["a\nb", null, "c", null, "", "d"]);
});

test("a byte of a character of several bytes may end a chunk", () => {
  const bytes = Buffer.from('data: {"content":"日本語 🌍"}\n\n');
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    assert.deepEqual(readAll([bytes.subarray(0, cut), bytes.subarray(cut)]).data, ['{"content":"日本語 🌍"}']);
  }
});

test("whole events pass without being copied", () => {
  const bytes = Buffer.from("data: 1\n\ndata: 2\n\n");
  assert.equal(new SseSplitter().push(bytes).run, bytes);
});

test("what is printed is read again", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.deepEqual(readAll([Buffer.from(printSse(value, "named"))]).data, [JSON.stringify(value)]);
    }),
  );
  assert.deepEqual(readAll([SSE_DONE]).data, ["[DONE]"]);
});
