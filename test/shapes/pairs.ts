/**
 * Every API that clients speak against every API that backends speak: what of a conversation is lost between the two, and a rich one
 * there and its answer back. A new shape in `SHAPES` is a new row and a new column of all of it.
 */
import { BEDROCK } from "../../src/wire/bedrock/shape.ts";
import { type AnswerEvent, answerOf, eventsOf, type FormAnswer } from "../../src/wire/form/answer.ts";
import type { FormRequest } from "../../src/wire/form/request.ts";
import { type BackendShape, type ClientShape, isUnreadable } from "../../src/wire/form/shape.ts";
import { ConvertedReading } from "../../src/wire/form/readings.ts";
import { GEMINI } from "../../src/wire/gemini/shape.ts";
import type { Verdict } from "../../src/wire/reading.ts";
import { sseData, SseSplitter } from "../../src/wire/sse.ts";
import { SHAPES } from "../../src/wire/shapes.ts";
import { ASKED, BARE_BODIES, OWN_WORDS } from "./asked.ts";
import { BARE } from "./conversations.ts";
import { CLOUD_ANSWERS, RICH_ANSWER } from "./rich-answer.ts";

/** The APIs that clients speak, by name. */
export const CLIENTS: Readonly<Record<string, ClientShape & BackendShape>> = SHAPES;

/** The APIs that backends speak, by name. */
export const BACKENDS: Readonly<Record<string, BackendShape>> = { ...SHAPES, gemini: GEMINI, bedrock: BEDROCK };

// What some clouds can be told depends on the model; these take the most.
const MODELS: Readonly<Record<string, string>> = {
  gemini: "gemini-3-pro-preview",
  bedrock: "eu.anthropic.claude-sonnet-4-6",
};

const CONTEXT = { requestId: "pair", model: "asked-for", asked: {}, createdSeconds: 1_700_000_000, wantsUsage: true };

/** What can be asked for in a client's words, each read from them. */
export function spokenOf(client: string): readonly (readonly [title: string, request: FormRequest])[] {
  const shape = shapeOf(CLIENTS, client);
  const own = OWN_WORDS[client] ?? {};
  const shared = Object.entries(ASKED).flatMap(([title, asked]) => {
    const request = title in own ? null : spokenBy(client, { ...BARE, ...asked });
    return request === null ? [] : [[title, request] as const];
  });
  const spoken = Object.entries(own).map(([title, members]) => {
    const read = shape.readRequest({ ...BARE_BODIES[client], ...members });
    if (isUnreadable(read)) throw new Error(`${client}: ${read.param} ${read.detail}`);
    return [title, read] as const;
  });
  return [...shared, ...spoken];
}

/** A client's body, read; null where its API has no words for all of the request. */
function spokenBy(client: string, request: FormRequest): FormRequest | null {
  return shapeOf(CLIENTS, client).printRequest(request).losses.length > 0 ? null : saidBy(client, request);
}

/** The same, with what the client's API has no word for left out. */
export function saidBy(client: string, request: FormRequest): FormRequest {
  const shape = shapeOf(CLIENTS, client);
  const read = shape.readRequest(JSON.parse(JSON.stringify(shape.printRequest(request).body)));
  if (isUnreadable(read)) throw new Error(`${client}: ${read.param} ${read.detail}`);
  return read;
}

/** What a backend is sent for a client's request. */
export function printedFor(backend: string, request: FormRequest): ReturnType<BackendShape["printRequest"]> {
  return shapeOf(BACKENDS, backend).printRequest({ ...request, model: MODELS[backend] ?? request.model });
}

function shapeOf<T>(shapes: Readonly<Record<string, T>>, name: string): T {
  const shape = shapes[name];
  if (shape === undefined) throw new Error(`no shape is called ${name}`);
  return shape;
}

/** The rich answer as this backend gives it. */
function answerBy(backend: string): { readonly events: readonly string[]; readonly whole: string } {
  const shape = CLIENTS[backend];
  if (shape === undefined) {
    const { events, whole } = shapeOf(CLOUD_ANSWERS, backend);
    return { events: events.map((event) => JSON.stringify(event)), whole: JSON.stringify(whole) };
  }
  const printer = shape.printer(CONTEXT);
  const stream = inPieces(RICH_ANSWER).map((event) => printer.push(event));
  return { events: dataOf(stream.join("")), whole: JSON.stringify(shape.printAnswer(RICH_ANSWER, CONTEXT)) };
}

/** The events of an answer, its texts in pieces. */
function inPieces(answer: FormAnswer): readonly AnswerEvent[] {
  return eventsOf(answer).flatMap((event): readonly AnswerEvent[] =>
    event.kind === "text"
      ? (event.text.match(/.{1,16}/gsu) ?? []).map((piece) => ({ ...event, text: piece }))
      : [event],
  );
}

function dataOf(stream: string): readonly string[] {
  const { run, ends } = new SseSplitter().push(Buffer.from(stream));
  return ends.flatMap((end, index) => sseData(run, ends[index - 1] ?? 0, end) ?? []);
}

/** The rich answer of a backend in the bytes of a client of another API. */
export function answerBetween(client: string, backend: string): { readonly stream: string; readonly whole: string } {
  const [to, from] = [shapeOf(CLIENTS, client), shapeOf(BACKENDS, backend)];
  const { events, whole } = answerBy(backend);
  const streamed = new ConvertedReading(from, to, CONTEXT);
  let stream = "";
  let isDone = false;
  for (const data of events) {
    const verdict = streamed.event(data);
    stream += bytesOf(verdict);
    isDone = typeof verdict === "object" && verdict.kind === "done";
    if (isDone) break;
  }
  // Where the upstream's last event is not its last word, the end of the bytes is.
  if (!isDone) stream += bytesOf(streamed.end());
  return { stream, whole: bytesOf(new ConvertedReading(from, to, CONTEXT).whole(Buffer.from(whole))) };
}

function bytesOf(verdict: Verdict): string {
  if (typeof verdict === "string") return "";
  if (verdict.kind === "broken") throw new Error(verdict.detail);
  return verdict.bytes?.toString() ?? "";
}

/** The rich answer of a backend as a client of another API reads it, streamed and whole. */
export function answersBetween(client: string, backend: string): readonly FormAnswer[] {
  const shape = shapeOf(CLIENTS, client);
  const { stream, whole } = answerBetween(client, backend);
  const reader = shape.reader();
  const told = dataOf(stream).flatMap((data) => (data === "[DONE]" ? [] : (reader.push(data) ?? [])));
  const fromStream = answerOf(told.some(({ kind }) => kind === "done") ? told : [...told, ...(reader.end() ?? [])]);
  const fromWhole = shape.readAnswer(JSON.parse(whole));
  if (fromStream === null) throw new Error(`the stream was not read:\n${stream}`);
  if (fromWhole === null || "kind" in fromWhole) throw new Error("the whole answer was not read");
  return [fromStream, fromWhole];
}
