/**
 * The upstream of the benchmark: answers chat completions with bytes made beforehand, over raw sockets, so that it takes far
 * less time than what is measured. Run as a child; tells its port to the parent.
 */
import { createServer, type Socket } from "node:net";
import {
  answerBytes,
  CHUNK_EVERY_MS,
  CHUNKS_PER_STREAM,
  EVENT,
  LAST,
  modelsBytes,
  STREAM_HEAD,
} from "./answer-bytes.ts";

const ANSWER = answerBytes();
const MODELS = modelsBytes();
const HEAD_END = Buffer.from("\r\n\r\n");
const LENGTH = /content-length: *(\d+)/i;

interface Stream {
  readonly socket: Socket;
  readonly withUsage: boolean;
  sent: number;
}

/** Streams by the millisecond of the period in which they are due: all at once would be a burst that no fleet makes. */
const phases: Set<Stream>[] = Array.from({ length: CHUNK_EVERY_MS }, () => new Set());
let phase = 0;
let dueMs = performance.now();

function tick(): void {
  // Timers come late on a busy machine; what they missed is made up, so that the rate holds.
  while (dueMs <= performance.now()) {
    dueMs += 1;
    phase = (phase + 1) % CHUNK_EVERY_MS;
    const due = phases[phase] as Set<Stream>;
    for (const stream of due) if (!advance(stream)) due.delete(stream);
  }
}

/** Writes the next event; false when it was the last. */
function advance(stream: Stream): boolean {
  if (stream.socket.destroyed) return false;
  stream.sent += 1;
  if (stream.sent < CHUNKS_PER_STREAM) {
    stream.socket.write(EVENT);
    return true;
  }
  stream.socket.write(stream.withUsage ? LAST.withUsage : LAST.plain);
  return false;
}

function answer(socket: Socket, body: Buffer): void {
  if (!body.includes('"stream":true')) {
    socket.write(ANSWER);
    return;
  }
  // The head and the first event go at once, so that the time to the first token is the proxy's alone.
  socket.write(Buffer.concat([STREAM_HEAD, EVENT]));
  (phases[phase] as Set<Stream>).add({ socket, withUsage: body.includes('"include_usage":true'), sent: 1 });
}

/** Takes one whole request off the front; returns what is left, or null when it is not whole. */
function takeRequest(socket: Socket, bytes: Buffer): Buffer | null {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd === -1) return null;
  const head = bytes.toString("latin1", 0, headEnd);
  const bodyAt = headEnd + HEAD_END.length;
  if (head.startsWith("GET")) {
    socket.write(MODELS);
    return bytes.subarray(bodyAt);
  }
  const end = bodyAt + Number(LENGTH.exec(head)?.[1] ?? 0);
  if (bytes.length < end) return null;
  answer(socket, bytes.subarray(bodyAt, end));
  return bytes.subarray(end);
}

const server = createServer({ noDelay: true }, (socket) => {
  let rest: Buffer | null = null;
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    let bytes = rest === null ? chunk : Buffer.concat([rest, chunk]);
    rest = null;
    while (bytes.length > 0) {
      const after = takeRequest(socket, bytes);
      if (after === null) {
        rest = bytes;
        return;
      }
      bytes = after;
    }
  });
});

setInterval(tick, 1);
process.on("disconnect", () => process.exit(0));
server.listen(0, "127.0.0.1", 1024, () => {
  const address = server.address();
  process.send?.({ port: typeof address === "object" && address !== null ? address.port : 0 });
});
