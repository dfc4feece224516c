import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { awsEvent, awsException, awsMessage } from "../../test/clouds/aws-frames.ts";
import { AWS_EVENT_FRAMING } from "./aws-events.ts";

/** The data of every event in these pieces; throws where a reader would. */
function read(pieces: readonly Buffer[]): readonly (string | null)[] {
  const splitter = AWS_EVENT_FRAMING.splitter();
  const all: (string | null)[] = [];
  const take = ({ run, ends }: ReturnType<typeof splitter.push>): void => {
    let start = 0;
    for (const end of ends) {
      all.push(AWS_EVENT_FRAMING.data(run, start, end));
      start = end;
    }
  };
  for (const piece of pieces) take(splitter.push(piece));
  take(splitter.end());
  return all;
}

const EVENTS = [
  awsEvent("messageStart", { role: "assistant" }),
  awsEvent("contentBlockDelta", { delta: { text: "Grüße" }, contentBlockIndex: 0 }),
  awsMessage({ ":message-type": "event", ":event-type": "odd" }, ""),
  awsException("throttlingException", { message: "Too many" }),
];
const DATA = [
  '{"messageStart":{"role":"assistant"}}',
  '{"contentBlockDelta":{"delta":{"text":"Grüße"},"contentBlockIndex":0}}',
  '{"odd":{}}',
  '{"throttlingException":{"message":"Too many"}}',
];

test("an event's data is one member called like the event, exceptions too", () => {
  assert.deepEqual(read(EVENTS), DATA);
});

test("an error message is an exception in its words", () => {
  const error = awsMessage({ ":message-type": "error", ":error-code": "E1", ":error-message": "No luck" }, "");
  assert.deepEqual(read([error]), ['{"internalServerException":{"message":"No luck"}}']);
});

test("headers of every type are passed over", () => {
  // A name of one letter, the type, then as many bytes as the type has: true, byte, short, int, long, bytes, time and UUID.
  const values = [[0], [2, 1], [3, 1, 2], [4, 1, 2, 3, 4], [5, ...Array<number>(8).fill(9)]];
  const more = [
    [6, 0, 2, 7, 7],
    [8, ...Array<number>(8).fill(9)],
    [9, ...Array<number>(16).fill(9)],
  ];
  const odd = Buffer.from([...values, ...more].flatMap((value, index) => [1, 97 + index, ...value]));
  const plain = awsEvent("messageStop", {});
  const message = Buffer.concat([plain.subarray(0, 12), odd, plain.subarray(12)]);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(plain.readUInt32BE(4) + odd.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  message.writeUInt32BE(crc32(message.subarray(0, -4)), message.length - 4);
  assert.deepEqual(read([message]), ['{"messageStop":{}}']);
});

test("however the bytes are cut, the events are the same", () => {
  const all = Buffer.concat(EVENTS);
  fc.assert(
    fc.property(fc.array(fc.nat({ max: all.length }), { maxLength: 12 }), (cuts) => {
      const at = [0, ...cuts.toSorted((one, other) => one - other), all.length];
      const pieces = at.slice(1).map((end, index) => all.subarray(at[index], end));
      assert.deepEqual(read(pieces), DATA);
    }),
  );
});

test("a flipped bit is found, wherever it is", () => {
  const all = Buffer.concat(EVENTS);
  fc.assert(
    fc.property(fc.nat({ max: all.length * 8 - 1 }), (bit) => {
      const damaged = Buffer.from(all);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.throws(() => read([damaged]));
    }),
  );
});

test("bytes that are no messages are damage and not memory", () => {
  const splitter = AWS_EVENT_FRAMING.splitter();
  const { run, ends } = splitter.push(Buffer.from("data: hello\n\ndata: world\n\n"));
  assert.equal(ends.length, 1);
  assert.equal(splitter.restBytes, 0);
  assert.throws(() => AWS_EVENT_FRAMING.data(run, 0, ends[0] ?? 0));
});
