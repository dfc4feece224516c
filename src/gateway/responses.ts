import type { IncomingMessage, ServerResponse } from "node:http";
import type { ErrorCode } from "../base/errors.ts";
import type { Desk } from "../ports/desk.ts";
import type { Document, Shelf, ShelfKey } from "../ports/shelf.ts";
import { isObject, type JsonObject, textOf } from "../wire/json.ts";
import { parseRequest } from "../wire/request.ts";
import { responseOfItem } from "../wire/responses/item.ts";
import {
  conversationOf,
  FinalResponse,
  inputItems,
  listedItems,
  referenceOf,
  type StoredResponse,
  withInput,
} from "../wire/responses/stored.ts";
import type { KeyHolder } from "./access.ts";
import { sendError, sendJson } from "./answers.ts";
import type { Recording } from "./idempotency.ts";
import { behind, pageAsked, printPage, queryOf } from "./pages.ts";

/** How responses are stored. */
export interface ResponsesOptions {
  /** How long a response is kept; 0 stores none. */
  readonly keepResponsesSeconds: number;
  readonly log: (line: string) => void;
}

/** Limits of a request for a new response. */
export interface ExpandLimits {
  /** Of the request with the conversation that it goes on with. */
  readonly maxBodyBytes: number;
  /** Levels of objects and arrays in a body. */
  readonly maxJsonDepth: number;
}

/** A request for a new response as it goes on: whole, whatever it referred to. */
export interface Expanded {
  readonly body: Buffer;
  /** What it went on with, or null. */
  readonly previousId: string | null;
}

/** Why a request cannot go on. */
export interface NotExpanded {
  readonly code: ErrorCode;
  readonly detail: string | null;
  readonly param: string | null;
  readonly retryAfterMs?: number;
}

/** How the answer to a request is stored. */
export interface Storing {
  /** Members of the request that its answer repeats, whatever the backend was told of them. */
  readonly repeats: JsonObject;
  /** Where the answer is recorded, or null when it is not to be stored. */
  readonly recording: Recording | null;
}

/** A response on the shelf. */
interface Kept extends StoredResponse {
  /** In seconds since 1970. */
  readonly keptAt: number;
}

/** One that is being written. */
interface Pending {
  readonly kept: Kept;
  readonly written: Promise<void>;
}

/** One call for a stored response. */
interface Call {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly holder: KeyHolder;
}

const RESPONSE_ID = /^resp_[A-Za-z0-9_-]{1,95}$/;
const MAX_PAGE = 100;
const RETRY_MS = 1000;
/** What a request has that does not say all by itself. */
const REFERRING = ["previous_response_id", "item_reference"] as const;

/** OpenAI's stored responses. Owned by the storage. */
export class Responses {
  readonly #desk: Desk;
  readonly #shelf: Shelf;
  readonly #options: ResponsesOptions;
  readonly #pending = new Map<string, Pending>();

  constructor(desk: Desk, shelf: Shelf, options: ResponsesOptions) {
    this.#desk = desk;
    this.#shelf = shelf;
    this.#options = options;
  }

  /** A request with everything that it refers to, or null where it goes on as it is. Never rejects. */
  expand(tenant: string, body: Buffer, limits: ExpandLimits): Promise<Expanded | NotExpanded> | null {
    const { keepResponsesSeconds, log } = this.#options;
    if (keepResponsesSeconds === 0 || !REFERRING.some((word) => body.includes(word))) return null;
    return this.#expand(tenant, body, limits).catch((error: unknown) => {
      log(`POST /v1/responses: ${String(error)}`);
      return { code: "storage_unavailable", detail: null, param: null, retryAfterMs: RETRY_MS };
    });
  }

  async #expand(
    tenant: string,
    body: Buffer,
    { maxJsonDepth, maxBodyBytes }: ExpandLimits,
  ): Promise<Expanded | NotExpanded> {
    const parsed = parseRequest("responses", body, maxJsonDepth);
    // The door says what is wrong with it.
    if (!parsed.ok) return { body, previousId: null };
    const asked = parsed.request.value as JsonObject;
    const previousId = textOf(asked["previous_response_id"]);
    const before = previousId === null ? null : await this.#find(tenant, previousId);
    if (previousId !== null && before === null) {
      return { code: "response_not_found", detail: previousId, param: "previous_response_id" };
    }
    const own = inputItems(asked["input"]);
    const whole = await this.#dereferenced(tenant, own);
    if (before === null && whole.every((item, index) => item === own[index])) return { body, previousId };
    const items = [...(before === null ? [] : conversationOf(before)), ...whole];
    const expanded = withInput(body, items, previousId !== null);
    if (expanded.length <= maxBodyBytes) return { body: expanded, previousId };
    const detail = `with the conversation before it, it has ${expanded.length} bytes, and ${maxBodyBytes} are the most`;
    return { code: "request_too_large", detail, param: "previous_response_id" };
  }

  /** Items with those of answers in place of references to them; what is not of an answer that is kept here stays as it is. */
  async #dereferenced(tenant: string, items: readonly unknown[]): Promise<readonly unknown[]> {
    const answers = new Map<string, StoredResponse | null>();
    const whole: unknown[] = [];
    for (const item of items) {
      const id = referenceOf(item);
      const responseId = id === null ? null : responseOfItem(id);
      if (responseId === null) {
        whole.push(item);
        continue;
      }
      if (!answers.has(responseId)) answers.set(responseId, await this.#find(tenant, responseId));
      const output = answers.get(responseId)?.response["output"];
      const found = Array.isArray(output) ? output.find((each: unknown) => isObject(each) && each["id"] === id) : null;
      whole.push(found ?? item);
    }
    return whole;
  }

  /** How the answer to a request is stored once it has ended well; null where responses are not stored at all. */
  storing(of: {
    readonly tenant: string;
    readonly value: unknown;
    readonly bodyBytes: number;
    readonly previousId: string | null;
  }): Storing | null {
    const asked = of.value as JsonObject;
    if (this.#options.keepResponsesSeconds === 0) return null;
    const store = asked["store"] !== false;
    const repeats = { store, previous_response_id: of.previousId };
    if (!store) return { repeats, recording: null };
    const final = new FinalResponse(asked["stream"] === true);
    const keep = (status: number): void => {
      const found = status === 200 ? final.read() : null;
      final.drop();
      if (found === null) return;
      // A backend that made the response itself knows nothing of either.
      const response = { ...found.response, ...repeats };
      this.#keep(of.tenant, { response, input: inputItems(asked["input"]) }, of.bodyBytes + found.bytes);
    };
    const recording: Recording = {
      add: (chunk) => final.add(chunk),
      keep: ({ status }) => keep(status),
      drop: () => final.drop(),
    };
    return { repeats, recording };
  }

  #keep(tenant: string, stored: StoredResponse, bytes: number): void {
    const { log } = this.#options;
    const id = textOf(stored.response["id"]) ?? "";
    if (!RESPONSE_ID.test(id))
      return log("a response is not stored: its backend gave it no id that one can be asked for by");
    if (bytes > this.#shelf.freeBytes)
      return log(`${id} is not stored: there is no room left in storage.maxFilesBytes`);
    const key = keyOf(tenant, id);
    const name = nameOf(key);
    const kept: Kept = { ...stored, keptAt: nowSeconds() };
    const before = this.#pending.get(name)?.written ?? Promise.resolve();
    const written = before
      .then(() => this.#shelf.put(key, { ...kept }))
      // The answer went out; what the disk did is the operator's to know.
      .catch((error: unknown) => log(`${id} is not stored: ${String(error)}`))
      .finally(() => {
        if (this.#pending.get(name)?.kept === kept) this.#pending.delete(name);
      });
    this.#pending.set(name, { kept, written });
  }

  async #find(tenant: string, id: string): Promise<StoredResponse | null> {
    const key = keyOf(tenant, id);
    // Clients go on at once, and the disk may take longer.
    const kept = this.#pending.get(nameOf(key))?.kept ?? keptOf(await this.#shelf.get(key));
    return kept === null || kept.keptAt + this.#options.keepResponsesSeconds <= nowSeconds() ? null : kept;
  }

  /** Answers a call for the response of this id, or for its input. Rejects when the disk cannot be read or written. */
  async answer(call: Call, id: string, wantsInput: boolean): Promise<void> {
    const { req, res, holder } = call;
    const stored = await this.#find(holder.tenant, id);
    if (stored === null) return this.#refuse(res, "response_not_found", { detail: id });
    if (req.method === "DELETE") return this.#delete(call, id);
    const query = queryOf(req);
    if (wantsInput) return this.#listInput(res, stored, query);
    if (query.get("stream") === "true") {
      return this.#refuse(res, "invalid_request", {
        param: "stream",
        detail: "a stored response is not streamed again",
      });
    }
    sendJson(res, 200, { value: stored.response });
  }

  async #delete({ res, holder }: Call, id: string): Promise<void> {
    const key = keyOf(holder.tenant, id);
    await this.#pending.get(nameOf(key))?.written;
    await this.#shelf.remove(key);
    sendJson(res, 200, { value: { id, object: "response", deleted: true } });
  }

  #listInput(res: ServerResponse, stored: StoredResponse, query: URLSearchParams): void {
    const { limit, after, isAscending } = pageAsked(query, MAX_PAGE);
    const items = listedItems(stored);
    const rest = behind(isAscending ? items : items.toReversed(), after, ({ id }) => id);
    sendJson(res, 200, { value: printPage(rest.slice(0, limit), rest.length > limit) });
  }

  #refuse(res: ServerResponse, code: ErrorCode, more: Parameters<typeof sendError>[2]): void {
    this.#desk.refused(code);
    sendError(res, code, more);
  }

  /** Forgets what has expired. */
  sweep(): Promise<void> {
    return this.#shelf.removeBefore("responses", Date.now() - this.#options.keepResponsesSeconds * 1000);
  }

  /** Resolves once everything that is to be stored is. */
  async settled(): Promise<void> {
    await Promise.all([...this.#pending.values()].map(({ written }) => written));
  }
}

function keyOf(tenant: string, id: string): ShelfKey {
  return { kind: "responses", tenant, id };
}

function nameOf({ tenant, id }: ShelfKey): string {
  return `${id} ${tenant}`;
}

/** The response of a document that was put here. */
function keptOf(document: Document | null): Kept | null {
  return document as unknown as Kept | null;
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
