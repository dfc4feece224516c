import { hash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ErrorCode } from "../base/errors.ts";
import type { Endpoint, Job } from "../base/job.ts";
import type { Desk } from "../ports/desk.ts";
import type { RunCall } from "../base/run.ts";
import { clientErrors, requestIdHeaders } from "../wire/client-errors.ts";
import { parseRequest, type ParsedRequest, promptText } from "../wire/request.ts";
import type { KeyHolder } from "./access.ts";
import { answering, closeUnread, sendError, sendJson, sendKept } from "./answers.ts";
import { readBody } from "./body.ts";
import { HttpExchange } from "./exchange.ts";
import { jobOf } from "./job.ts";
import { runCallOf } from "./run-call.ts";
import type { Expanded, NotExpanded, Responses, Storing } from "./responses.ts";
import { bothOf, Idempotency, type KeptAnswer, type KeyUse, type Recording } from "./idempotency.ts";

/** How the door takes requests. */
export interface DoorOptions {
  readonly maxBodyBytes: number;
  /** Levels of objects and arrays in a body. */
  readonly maxJsonDepth: number;
  readonly defaultClass: string;
  /** How long a client may leave bytes of its answer unread. */
  readonly clientIdleMs: number;
  /** How long a finished answer is replayed for its idempotency key. */
  readonly idempotencyKeepMs: number;
  /** Bytes of all answers that are kept for their keys. */
  readonly idempotencyMaxBytes: number;
}

const CLIENT_REQUEST_ID = /^[\x21-\x7e]{1,128}$/;
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;
/** Headers by which clients ask for parts of an API that are not in its body. */
const PASSED_HEADERS = ["anthropic-version", "anthropic-beta", "openai-beta"] as const;
const IN_PROGRESS_RETRY_MS = 1000;

type ErrorMore = Parameters<typeof sendError>[2] & object;

type Claim =
  | { readonly kind: "new"; readonly recording: Recording }
  | { readonly kind: "replay"; readonly answer: KeptAnswer }
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly more: ErrorMore };

/** The door for completions: reads and parses a request once, and hands it to the desk as an exchange. */
export class Door {
  readonly #desk: Desk;
  #options: DoorOptions;
  readonly #idempotency: Idempotency;
  readonly #responses: Responses | null;
  readonly #onUnread = (): void => this.#desk.turnedAway("client_idle");

  /** `responses` keeps those that clients want stored; without it none is. */
  constructor(desk: Desk, options: DoorOptions, responses: Responses | null = null) {
    this.#desk = desk;
    this.#responses = responses;
    this.#options = options;
    this.#idempotency = new Idempotency({
      keepMs: options.idempotencyKeepMs,
      maxBytes: options.idempotencyMaxBytes,
    });
  }

  /** Takes requests by other limits from now on. */
  configure(options: DoorOptions): void {
    this.#options = options;
  }

  take(
    req: IncomingMessage,
    res: ServerResponse,
    of: { readonly endpoint: Endpoint; readonly holder: KeyHolder; readonly clientAddress: string | null },
  ): void {
    const requestId = this.#desk.mint(Date.now());
    const clientRequestId = clientRequestIdOf(req) ?? requestId;
    readBody(req, this.#options.maxBodyBytes, (body) => {
      const enter = (whole: Buffer | ErrorCode | NotExpanded, previousId: string | null): void => {
        const parts = { ...of, requestId, clientRequestId, body: whole, previousId };
        const opened = answering(res, () => this.#open(req, res, parts), clientErrors(of.endpoint));
        if (opened === null) return;
        if (of.clientAddress !== null) this.#desk.cameFrom(requestId, of.clientAddress);
        opened.watch(this.#desk.arrive(opened), this.#options.clientIdleMs, this.#onUnread);
      };
      const expanding = this.#expand(of, body);
      if (expanding === null) return enter(body, null);
      void expanding.then((found) => ("code" in found ? enter(found, null) : enter(found.body, found.previousId)));
    });
  }

  /** What a request refers to is read before it goes on; null for nearly every request, which then waits for nothing. */
  #expand(
    of: { readonly endpoint: Endpoint; readonly holder: KeyHolder },
    body: Buffer | ErrorCode,
  ): Promise<Expanded | NotExpanded> | null {
    if (of.endpoint !== "responses" || typeof body === "string") return null;
    return this.#responses?.expand(of.holder.tenant, body, this.#options) ?? null;
  }

  /** The exchange of a request that may go to the desk, or null when it was answered here. */
  #open(
    req: IncomingMessage,
    res: ServerResponse,
    of: {
      readonly endpoint: Endpoint;
      readonly holder: KeyHolder;
      readonly requestId: string;
      readonly clientRequestId: string;
      readonly body: Buffer | ErrorCode | NotExpanded;
      readonly previousId: string | null;
    },
  ): HttpExchange | null {
    const { endpoint, body, clientRequestId } = of;
    const headers = requestIdHeaders(endpoint, clientRequestId);
    const refuse = (code: ErrorCode, more: ErrorMore = {}): null => {
      this.#desk.refused(code);
      const errors = clientErrors(endpoint);
      sendError(res, code, {
        ...more,
        errors,
        requestId: clientRequestId,
        headers: [...headers, ...(more.headers ?? [])],
      });
      return null;
    };
    if (typeof body === "string") return refuse(body, { headers: ["connection", "close"] });
    if ("code" in body) return refuse(body.code, body);
    if (this.#desk.stopping) return refuse("shutting_down", { retryAfterMs: 1000 });
    const parsed = parseRequest(endpoint, body, this.#options.maxJsonDepth);
    if (!parsed.ok) return refuse(parsed.code, { detail: parsed.detail, param: parsed.param });
    if (endpoint === "count_tokens" && this.#mustCount(of.holder, parsed.request.model)) {
      const value = { input_tokens: this.#desk.countTokens(promptText(parsed.request.value)) };
      sendJson(res, 200, { value, headers: [...headers, "x-baseload-method", "counted_estimate"] });
      return null;
    }
    const run = runCallOf(req.headers, parsed.request.value, endpoint);
    if (run !== null && "param" in run) return refuse("invalid_request", run);
    const key = req.headers["idempotency-key"];
    const claim = key === undefined ? null : this.#claim({ ...of, key, body });
    if (claim?.kind === "refused") return refuse(claim.code, claim.more);
    if (claim?.kind === "replay") {
      closeUnread(res, this.#options.clientIdleMs, this.#onUnread);
      sendKept(res, claim.answer, headers);
      return null;
    }
    const job = this.#jobOf(req, parsed.request, { ...of, bodyBytes: body.length, run });
    const { value } = parsed.request;
    const stored = this.#storing(of, { value, bodyBytes: body.length });
    const recording = bothOf(claim?.recording ?? null, stored?.recording ?? null);
    const [passed, repeats] = [passedHeaders(req), stored?.repeats ?? null];
    return new HttpExchange({ job, body, value, clientRequestId, headers: passed, repeats, res, recording });
  }

  /** How the answer to a request for a new response is stored, and what it repeats of that; null where nothing can be. */
  #storing(
    of: { readonly endpoint: Endpoint; readonly holder: KeyHolder; readonly previousId: string | null },
    asked: { readonly value: unknown; readonly bodyBytes: number },
  ): Storing | null {
    if (of.endpoint !== "responses") return null;
    return this.#responses?.storing({ tenant: of.holder.tenant, previousId: of.previousId, ...asked }) ?? null;
  }

  /** Whether a prompt for this model is counted here: somebody serves it, and nobody who does can count it. */
  #mustCount(holder: KeyHolder, model: string): boolean {
    return !this.#desk.serves(holder, model, "count_tokens") && this.#desk.serves(holder, model, "messages");
  }

  /** What is to be done with a request that has an idempotency key. */
  #claim(of: {
    readonly key: string | string[];
    readonly body: Buffer;
    readonly endpoint: Endpoint;
    readonly holder: KeyHolder;
  }): Claim {
    const { key, body, endpoint, holder } = of;
    if (typeof key !== "string" || !IDEMPOTENCY_KEY.test(key)) {
      const detail = "the idempotency-key header must be 1 to 255 visible characters";
      return { kind: "refused", code: "invalid_request", more: { detail, param: "idempotency-key" } };
    }
    const fingerprint = `${endpoint} ${hash("sha256", body, "base64")}`;
    const use: KeyUse = { tenant: holder.tenant, key, fingerprint };
    const claimed = this.#idempotency.claim(use, performance.now());
    if (claimed.kind === "new" || claimed.kind === "replay") return claimed;
    if (claimed.kind === "conflict") return { kind: "refused", code: "idempotency_conflict", more: {} };
    return { kind: "refused", code: "idempotency_in_progress", more: { retryAfterMs: IN_PROGRESS_RETRY_MS } };
  }

  #jobOf(
    req: IncomingMessage,
    request: ParsedRequest,
    of: {
      readonly endpoint: Endpoint;
      readonly holder: KeyHolder;
      readonly requestId: string;
      readonly bodyBytes: number;
      readonly run: RunCall | null;
    },
  ): Job {
    const { holder } = of;
    const asked = req.headers["x-baseload-class"];
    return jobOf(request, {
      ...of,
      principal: { tenant: holder.tenant, key: holder.key },
      class: typeof asked === "string" ? asked : this.#options.defaultClass,
    });
  }
}

const NO_HEADERS: Readonly<Record<string, string>> = {};

function passedHeaders(req: IncomingMessage): Readonly<Record<string, string>> {
  const given = PASSED_HEADERS.filter((name) => req.headers[name] !== undefined);
  // Nearly no request has one, and an object each would be waste.
  return given.length === 0 ? NO_HEADERS : Object.fromEntries(given.map((name) => [name, String(req.headers[name])]));
}

function clientRequestIdOf(req: IncomingMessage): string | null {
  const given = req.headers["x-request-id"];
  return typeof given === "string" && CLIENT_REQUEST_ID.test(given) ? given : null;
}
