import assert from "node:assert/strict";
import type { Exchange, Head, SseEvent } from "./client.ts";

/** A chunk as far as the checks read it. */
export interface Chunk {
  readonly object?: unknown;
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null; readonly tool_calls?: readonly ToolDelta[] };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: unknown;
  readonly error?: unknown;
}

/** One part of a tool call. */
export interface ToolDelta {
  readonly index: number;
  readonly id?: string;
  readonly type?: string;
  readonly function?: { readonly name?: string; readonly arguments?: string };
}

/** A stream read to its end. */
export interface Transcript extends Head {
  readonly events: readonly SseEvent[];
  /** Every event but `[DONE]`, parsed. */
  readonly chunks: readonly Chunk[];
  readonly errors: readonly Chunk[];
  readonly dones: number;
  readonly content: string;
  readonly finishes: readonly string[];
  readonly ending: "clean" | "broken";
}

/** Parses an event's data, with a message that shows it. */
export function parseChunk(event: SseEvent): Chunk {
  try {
    const value: unknown = JSON.parse(event.data);
    assert.ok(typeof value === "object" && value !== null);
    return value;
  } catch {
    return assert.fail(`an event is not a JSON object: ${event.data.slice(0, 200)}`);
  }
}

/** Reads a stream to its end. Fails if it is not an event stream. */
export async function readStream(exchange: Exchange): Promise<Transcript> {
  const head = await exchange.head();
  if (head.status !== 200) assert.fail(`status ${head.status}: ${(await exchange.text()).slice(0, 300)}`);
  assert.match(head.headers["content-type"] ?? "", /^text\/event-stream\b/, "content-type");
  const events: SseEvent[] = [];
  for (let event = await exchange.nextEvent(); event; event = await exchange.nextEvent()) events.push(event);
  const chunks = events.filter((event) => event.data !== "[DONE]").map(parseChunk);
  const choices = chunks.flatMap((chunk) => chunk.choices ?? []);
  return {
    ...head,
    events,
    chunks,
    errors: chunks.filter((chunk) => chunk.error !== undefined && chunk.error !== null),
    dones: events.length - chunks.length,
    content: choices.map((choice) => choice.delta?.content ?? "").join(""),
    finishes: choices.flatMap((choice) => (choice.finish_reason ? [choice.finish_reason] : [])),
    ending: exchange.ending ?? "broken",
  };
}

/** Reads events until the first one with content, and returns its text. */
export async function readToContent(exchange: Exchange): Promise<string> {
  await exchange.head();
  for (let event = await exchange.nextEvent(); event; event = await exchange.nextEvent()) {
    if (event.data === "[DONE]") break;
    const content = parseChunk(event).choices?.[0]?.delta?.content;
    if (content) return content;
  }
  return assert.fail("the stream ended before its first content");
}

/** A whole answer, parsed. */
export interface JsonReply extends Head {
  readonly body: Readonly<Record<string, unknown>>;
}

/** Reads an answer that has to be one JSON object. */
export async function readJson(exchange: Exchange): Promise<JsonReply> {
  const head = await exchange.head();
  const text = await exchange.text();
  assert.equal(exchange.ending, "clean", "the body was cut off");
  assert.match(head.headers["content-type"] ?? "", /^application\/json\b/, `content-type of status ${head.status}`);
  try {
    const body: unknown = JSON.parse(text);
    assert.ok(typeof body === "object" && body !== null && !Array.isArray(body));
    return { ...head, body: body as Record<string, unknown> };
  } catch {
    return assert.fail(`the body is not a JSON object: ${text.slice(0, 200)}`);
  }
}

/** The fields of an error in OpenAI's shape. */
export interface ApiError {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

/** Asserts OpenAI's error shape, all four fields, and returns them. */
export function assertError(body: unknown): ApiError {
  const shown = JSON.stringify(body)?.slice(0, 300);
  assert.ok(typeof body === "object" && body !== null && "error" in body, `no error object: ${shown}`);
  const { error } = body;
  assert.ok(typeof error === "object" && error !== null, `error is not an object: ${shown}`);
  const { message, type, param, code } = error as Record<string, unknown>;
  assert.ok(typeof message === "string" && message !== "", `error.message: ${shown}`);
  assert.ok(typeof type === "string" && type !== "", `error.type: ${shown}`);
  assert.ok(param === null || typeof param === "string", `error.param must be there, a string or null: ${shown}`);
  assert.ok(code === null || typeof code === "string", `error.code must be there, a string or null: ${shown}`);
  return { message, type, param, code };
}

/** Reads an HTTP error: its status in the range, JSON, OpenAI's shape. */
export async function readError(exchange: Exchange, range: readonly [number, number]): Promise<Head & ApiError> {
  const { status, headers } = await exchange.head();
  if (status < range[0] || status > range[1]) {
    exchange.destroy();
    assert.fail(`status ${status}, not ${range[0] === range[1] ? range[0] : range.join(" to ")}`);
  }
  const { body } = await readJson(exchange);
  return { status, headers, ...assertError(body) };
}

/** Asserts that `retry-after`, in either form, asks for the seven seconds of the mock's refusals, told at `sentAtMs` or later. */
export function assertPauseTold(retryAfter: string | undefined, sentAtMs: number): void {
  const told = retryAfter ?? "";
  // A gateway may turn a date into seconds, which says the same; a date knows no parts of a second.
  const seconds = /^\d+$/.test(told) ? Number(told) : (Date.parse(told) - sentAtMs) / 1000;
  assert.ok(seconds >= 1 && seconds <= 8, `retry-after: ${told}`);
}
