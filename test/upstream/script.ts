import { HEAD, event, text } from "./actions.ts";
import type { Action } from "./actions.ts";
import { PIECES, USAGE, chunk, usageChunk, whole } from "./chunks.ts";
import type { Piece, Shape, Usage } from "./chunks.ts";

/** An answer: its head, and what is done in turn. It ends cleanly after the last action. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly actions: Iterable<Action>;
  readonly lineEnd?: "\n" | "\r\n";
  readonly splitBytes?: boolean;
}

/** The request as a behaviour sees it. */
export interface Asked extends Shape {
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly bodyText: string;
  /** The number at the end of the model's name, such as 300 in `slow-first-300`. */
  readonly number: number;
}

/** A way of answering, picked by the model's name. */
export interface Behaviour {
  readonly says: string;
  readonly answer: (asked: Asked) => Answer;
}

/** How a completion is told. Whatever is not given is as OpenAI does it. */
export interface Script {
  readonly pieces?: Iterable<Piece>;
  readonly usage?: Usage;
  readonly reports?: "asked" | "never" | "last-chunk";
  readonly finish?: string;
  readonly message?: string | { readonly [field: string]: unknown };
  readonly before?: readonly Action[];
  readonly role?: boolean;
  readonly afterPiece?: (index: number) => readonly Action[];
  /** After so many pieces, do these actions instead of going on. */
  readonly cut?: { readonly after: number; readonly actions: readonly Action[] };
  readonly done?: boolean;
  readonly lineEnd?: "\n" | "\r\n";
  readonly splitBytes?: boolean;
  /** What is done before a whole answer, or instead of it where it ends in `forever` or `destroy`. */
  readonly wholeBefore?: readonly Action[];
}

/** The head of whole answers. */
export const JSON_HEAD = { "content-type": "application/json" };
/** The head of streams. */
export const STREAM_HEAD = { "content-type": "text/event-stream; charset=utf-8" };
function* streamed(asked: Asked, script: Script): Generator<Action> {
  yield HEAD;
  yield* script.before ?? [];
  const reports = script.reports ?? "asked";
  const nulled = asked.includeUsage && reports === "asked" ? null : undefined;
  const figures = script.usage ?? USAGE;
  if (asked.kind === "chat" && script.role !== false) {
    yield event(chunk(asked, { role: "assistant", content: "", refusal: null }, { usage: nulled }));
  }
  let index = 0;
  for (const piece of script.pieces ?? PIECES) {
    if (script.cut?.after === index) break;
    yield event(chunk(asked, piece, { usage: nulled }));
    yield* script.afterPiece?.(index) ?? [];
    index += 1;
  }
  if (script.cut) {
    yield* script.cut.actions;
    return;
  }
  const last = reports === "last-chunk" ? figures : nulled;
  yield event(chunk(asked, null, { finish: script.finish ?? "stop", usage: last }));
  if (reports === "asked" && asked.includeUsage) yield event(usageChunk(asked, figures));
  if (script.done !== false) yield event("[DONE]");
}

function* entire(asked: Asked, script: Script): Generator<Action> {
  yield* script.wholeBefore ?? [];
  const message = script.message ?? [...(script.pieces ?? PIECES)].join("");
  const usage = script.reports === "never" ? undefined : (script.usage ?? USAGE);
  const body = whole(asked, message, { finish: script.finish ?? "stop", usage });
  if (!script.cut) {
    yield text(body);
    return;
  }
  yield HEAD;
  if (script.cut.after > 0) yield text(body.slice(0, body.length >> 1));
  yield* script.cut.actions;
}

/** A behaviour that tells a completion by a script, streamed or whole as asked. */
export function told(says: string, make: Script | ((asked: Asked) => Script)): Behaviour {
  return {
    says,
    answer(asked) {
      const script = typeof make === "function" ? make(asked) : make;
      return {
        status: 200,
        headers: asked.stream ? STREAM_HEAD : JSON_HEAD,
        actions: asked.stream ? streamed(asked, script) : entire(asked, script),
        lineEnd: script.lineEnd ?? "\n",
        splitBytes: script.splitBytes ?? false,
      };
    },
  };
}
