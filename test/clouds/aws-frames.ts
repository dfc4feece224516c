import { crc32 } from "node:zlib";

/** A message in Amazon's event stream encoding, its header values texts. */
export function awsMessage(headers: Readonly<Record<string, string>>, payload: string): Buffer {
  const head = Buffer.concat(
    Object.entries(headers).map(([name, value]) => {
      const [bytes, of] = [Buffer.from(value), Buffer.from(name)];
      return Buffer.concat([
        Buffer.from([of.length]),
        of,
        Buffer.from([7, bytes.length >> 8, bytes.length & 255]),
        bytes,
      ]);
    }),
  );
  const body = Buffer.from(payload);
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(16 + head.length + body.length, 0);
  prelude.writeUInt32BE(head.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const all = Buffer.concat([prelude, head, body, Buffer.alloc(4)]);
  all.writeUInt32BE(crc32(all.subarray(0, -4)), all.length - 4);
  return all;
}

/** An event as Bedrock sends it. */
export function awsEvent(type: string, payload: unknown): Buffer {
  const headers = { ":event-type": type, ":content-type": "application/json", ":message-type": "event" };
  return awsMessage(headers, JSON.stringify(payload));
}

/** An exception inside a stream. */
export function awsException(type: string, payload: unknown): Buffer {
  const headers = { ":exception-type": type, ":content-type": "application/json", ":message-type": "exception" };
  return awsMessage(headers, JSON.stringify(payload));
}
