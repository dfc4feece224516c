import type { IncomingMessage } from "node:http";

/** What a client asks of a list. */
export interface AskedPage {
  readonly limit: number;
  /** The id behind which the page begins, or null for the first one. */
  readonly after: string | null;
  /** The oldest first, not the newest. */
  readonly isAscending: boolean;
}

/** The query of a request's URL. */
export function queryOf(req: IncomingMessage): URLSearchParams {
  return new URL(req.url ?? "/", "http://localhost").searchParams;
}

/** The page that a query asks for, of at most `most` entries; 20 unless it says. */
export function pageAsked(query: URLSearchParams, most: number): AskedPage {
  const limit = Math.min(Math.max(1, Math.trunc(Number(query.get("limit") ?? 20)) || 20), most);
  return { limit, after: query.get("after"), isAscending: query.get("order") === "asc" };
}

/** What comes behind `after`; all of it where that is not among them. */
export function behind<T>(all: readonly T[], after: string | null, idOf: (each: T) => unknown): readonly T[] {
  return after === null ? all : all.slice(all.findIndex((each) => idOf(each) === after) + 1);
}

/** A page in OpenAI's shape. */
export function printPage(data: readonly { readonly id?: unknown }[], hasMore: boolean): object {
  return {
    object: "list",
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: hasMore,
  };
}
