import { MODEL } from "./request-bytes.ts";

/** Events with content in one streamed answer of the mock upstream. */
export const CHUNKS_PER_STREAM = 50;

/** Milliseconds between two events of a stream. */
export const CHUNK_EVERY_MS = 10;

const USAGE = { prompt_tokens: 190, completion_tokens: 50, total_tokens: 240 };
const HEAD = { id: "chatcmpl-0123456789abcdef", created: 1_790_000_000, model: MODEL };

/** A whole answer with its headers; the body has about 300 bytes. */
export function answerBytes(): Buffer {
  const message = { role: "assistant", content: "About 1.5 gigawatts, most of it for heat and light." };
  const choices = [{ index: 0, message, finish_reason: "stop" }];
  const body = JSON.stringify({ ...HEAD, object: "chat.completion", choices, usage: USAGE });
  return jsonBytes(body);
}

/** The list of models, for whoever probes. */
export function modelsBytes(): Buffer {
  return jsonBytes(JSON.stringify({ object: "list", data: [{ id: MODEL, object: "model" }] }));
}

function jsonBytes(body: string): Buffer {
  const length = Buffer.byteLength(body);
  return Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`);
}

/** The head of a streamed answer. */
export const STREAM_HEAD: Buffer = Buffer.from(
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
);

/** One event with content, about 200 bytes, as an HTTP chunk. */
export const EVENT: Buffer = httpChunk(event({ content: " power of the city" }, null));

/** The last event with content, its end, and `[DONE]`, without and with usage. */
export const LAST = { plain: last(false), withUsage: last(true) } as const;

function last(withUsage: boolean): Buffer {
  const usage = { ...HEAD, object: "chat.completion.chunk", choices: [], usage: USAGE };
  const tail = withUsage ? `data: ${JSON.stringify(usage)}\n\n` : "";
  const text = `${event({ content: " power of the city" }, "stop")}${tail}data: [DONE]\n\n`;
  return Buffer.concat([httpChunk(text), Buffer.from("0\r\n\r\n")]);
}

function event(delta: object, finish: string | null): string {
  const choices = [{ index: 0, delta, logprobs: null, finish_reason: finish }];
  return `data: ${JSON.stringify({ ...HEAD, object: "chat.completion.chunk", choices })}\n\n`;
}

function httpChunk(text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
}
