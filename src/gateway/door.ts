import { hash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Endpoint, Job } from "../base/job.ts";
import type { Desk } from "../ports/desk.ts";
import { parseRequest, type ParsedRequest } from "../wire/request.ts";
import type { KeyHolder } from "./access.ts";
import { closeUnread, type FlatHeaders, sendError, sendKept } from "./answers.ts";
import { readBody } from "./body.ts";
import { HttpExchange } from "./exchange.ts";
import { Idempotency, type KeyUse, type Recording } from "./idempotency.ts";

/** How the door takes requests. */
export interface DoorOptions {
  readonly maxBodyBytes: number;
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
const IN_PROGRESS_RETRY_MS = 1000;

/** The door for completions: reads and parses a request once, and hands it to the desk as an exchange. */
export class Door {
  readonly #desk: Desk;
  readonly #options: DoorOptions;
  readonly #idempotency: Idempotency;

  constructor(desk: Desk, options: DoorOptions) {
    this.#desk = desk;
    this.#options = options;
    this.#idempotency = new Idempotency({
      keepMs: options.idempotencyKeepMs,
      maxBytes: options.idempotencyMaxBytes,
    });
  }

  take(
    req: IncomingMessage,
    res: ServerResponse,
    of: { readonly endpoint: Endpoint; readonly holder: KeyHolder },
  ): void {
    const requestId = this.#desk.mint(Date.now());
    const clientRequestId = clientRequestIdOf(req) ?? requestId;
    const headers = ["x-request-id", clientRequestId];
    readBody(req, this.#options.maxBodyBytes, (body) => {
      if (typeof body === "string") return sendError(res, body, { headers: [...headers, "connection", "close"] });
      if (this.#desk.stopping) return sendError(res, "shutting_down", { headers, retryAfterMs: 1000 });
      const parsed = parseRequest(of.endpoint, body);
      if (!parsed.ok) return sendError(res, parsed.code, { detail: parsed.detail, param: parsed.param, headers });
      const key = req.headers["idempotency-key"];
      const recording = key === undefined ? null : this.#claim(res, { key, body, ...of }, headers);
      if (recording === "answered") return;
      const job = this.#jobOf(req, parsed.request, { ...of, requestId, bodyBytes: body.length });
      const exchange = new HttpExchange({ job, body, value: parsed.request.value, clientRequestId, res, recording });
      exchange.watch(this.#desk.arrive(exchange), this.#options.clientIdleMs);
    });
  }

  /** Where to record the answer to a request with an idempotency key, unless the key has answered it already. */
  #claim(
    res: ServerResponse,
    of: {
      readonly key: string | string[];
      readonly body: Buffer;
      readonly endpoint: Endpoint;
      readonly holder: KeyHolder;
    },
    headers: FlatHeaders,
  ): Recording | "answered" {
    const { key, body, endpoint, holder } = of;
    if (typeof key !== "string" || !IDEMPOTENCY_KEY.test(key)) {
      const detail = "the idempotency-key header must be 1 to 255 visible characters";
      sendError(res, "invalid_request", { detail, param: "idempotency-key", headers });
      return "answered";
    }
    const fingerprint = `${endpoint} ${hash("sha256", body, "base64")}`;
    const use: KeyUse = { tenant: holder.tenant, key, fingerprint };
    const claimed = this.#idempotency.claim(use, performance.now());
    if (claimed.kind === "new") return claimed.recording;
    if (claimed.kind === "replay") {
      closeUnread(res, this.#options.clientIdleMs);
      sendKept(res, claimed.answer, headers);
    } else if (claimed.kind === "conflict") sendError(res, "idempotency_conflict", { headers });
    else sendError(res, "idempotency_in_progress", { headers, retryAfterMs: IN_PROGRESS_RETRY_MS });
    return "answered";
  }

  #jobOf(
    req: IncomingMessage,
    request: ParsedRequest,
    of: {
      readonly endpoint: Endpoint;
      readonly holder: KeyHolder;
      readonly requestId: string;
      readonly bodyBytes: number;
    },
  ): Job {
    const { holder } = of;
    const asked = req.headers["x-baseload-class"];
    return {
      requestId: of.requestId,
      principal: { tenant: holder.tenant, project: null, user: request.user, key: holder.key },
      class: typeof asked === "string" ? asked : this.#options.defaultClass,
      model: request.model,
      endpoint: of.endpoint,
      stream: request.stream,
      wantsUsage: request.wantsUsage,
      bodyBytes: of.bodyBytes,
      promptTextLength: request.promptTextLength,
      maxOutputTokens: request.maxOutputTokens,
      attributes: {},
      prefixHashes: [],
      blockTokens: null,
    };
  }
}

function clientRequestIdOf(req: IncomingMessage): string | null {
  const given = req.headers["x-request-id"];
  return typeof given === "string" && CLIENT_REQUEST_ID.test(given) ? given : null;
}
