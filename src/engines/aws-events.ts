import { crc32 } from "node:zlib";
import type { SseRun } from "../wire/sse.ts";
import type { Framing, Splitter } from "./framing.ts";

// Of a message: total length, length of the headers, checksum of these two; and at its end a checksum of all before it.
const PRELUDE_BYTES = 8;
const HEADERS_AT = 12;
const CRC_BYTES = 4;
const LEAST_BYTES = HEADERS_AT + CRC_BYTES;
/** Amazon's bound of a message. */
const MOST_BYTES = 24 * 1024 * 1024;
/** Lengths of header values by their type; those of 6 and 7 are written before them. */
const VALUE_BYTES: readonly number[] = [0, 0, 1, 2, 4, 8, -1, -1, 8, 16];
const STRING = 7;
const NOTHING: SseRun = { run: Buffer.alloc(0), ends: [] };

/** Cuts bytes into messages. Bytes of which no length can be believed come as one event, whose data throws. Owned by one attempt. */
class EventSplitter implements Splitter {
  #rest: Buffer = Buffer.alloc(0);

  get restBytes(): number {
    return this.#rest.length;
  }

  push(chunk: Buffer): SseRun {
    const all = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const ends: number[] = [];
    let at = 0;
    while (all.length - at >= HEADERS_AT) {
      const length = lengthOf(all, at) ?? all.length - at;
      if (all.length - at < length) break;
      at += length;
      ends.push(at);
    }
    this.#rest = all.subarray(at);
    return ends.length === 0 ? NOTHING : { run: all.subarray(0, at), ends };
  }

  end(): SseRun {
    const run = this.#rest;
    this.#rest = Buffer.alloc(0);
    return run.length === 0 ? NOTHING : { run, ends: [run.length] };
  }
}

/** The length of the message at `at`, or null when its prelude is damaged. */
function lengthOf(bytes: Buffer, at: number): number | null {
  const length = bytes.readUInt32BE(at);
  if (crc32(bytes.subarray(at, at + PRELUDE_BYTES)) !== bytes.readUInt32BE(at + PRELUDE_BYTES)) return null;
  return length < LEAST_BYTES || length > MOST_BYTES ? null : length;
}

/**
 * Amazon's event stream encoding (`application/vnd.amazon.eventstream`; Smithy, "Amazon Event Stream Specification"). The data
 * of an event is JSON text of one member, called like the event or the exception, whose value is the payload.
 */
export const AWS_EVENT_FRAMING: Framing = {
  contentType: "application/vnd.amazon.eventstream",
  splitter: () => new EventSplitter(),
  data: (run, start, end) => dataOf(run.subarray(start, end)),
};

function dataOf(message: Buffer): string {
  if (message.length < LEAST_BYTES || lengthOf(message, 0) !== message.length) throw new Error("a damaged prelude");
  const payloadEnd = message.length - CRC_BYTES;
  if (crc32(message.subarray(0, payloadEnd)) !== message.readUInt32BE(payloadEnd)) throw new Error("a wrong checksum");
  const payloadAt = HEADERS_AT + message.readUInt32BE(4);
  if (payloadAt > payloadEnd) throw new Error("headers longer than their message");
  const headers = headersOf(message.subarray(HEADERS_AT, payloadAt));
  const payload = message.toString("utf8", payloadAt, payloadEnd);
  const type = headers.get(":message-type");
  if (type === "event") return member(headers.get(":event-type"), payload);
  if (type === "exception") return member(headers.get(":exception-type"), payload);
  if (type === "error") {
    const words = headers.get(":error-message") ?? headers.get(":error-code") ?? "an error";
    return member("internalServerException", JSON.stringify({ message: words }));
  }
  throw new Error("a message of no known type");
}

function member(name: string | undefined, payload: string): string {
  if (name === undefined) throw new Error("a message without its type");
  return `{${JSON.stringify(name)}:${payload === "" ? "{}" : payload}}`;
}

/** The headers whose values are texts. */
function headersOf(bytes: Buffer): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const nameEnd = at + 1 + bytes.readUInt8(at);
    const name = bytes.toString("utf8", at + 1, nameEnd);
    const type = bytes.readUInt8(nameEnd);
    const fixed = VALUE_BYTES[type];
    if (fixed === undefined) throw new Error("a header of no known type");
    const valueAt = nameEnd + (fixed === -1 ? 3 : 1);
    const valueEnd = valueAt + (fixed === -1 ? bytes.readUInt16BE(nameEnd + 1) : fixed);
    if (valueEnd > bytes.length) throw new Error("a header longer than its message");
    if (type === STRING) headers.set(name, bytes.toString("utf8", valueAt, valueEnd));
    at = valueEnd;
  }
  return headers;
}
