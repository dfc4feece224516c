import type { IncomingMessage, ServerResponse } from "node:http";
import type { Endpoint, Job } from "../base/job.ts";
import type { Desk } from "../ports/desk.ts";
import { parseRequest, type ParsedRequest } from "../wire/request.ts";
import type { KeyHolder } from "./access.ts";
import { sendError } from "./answers.ts";
import { readBody } from "./body.ts";
import { HttpExchange } from "./exchange.ts";

/** How the door takes requests. */
export interface DoorOptions {
  readonly maxBodyBytes: number;
  readonly defaultClass: string;
}

const CLIENT_REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** The door for completions: reads and parses a request once, and hands it to the desk as an exchange. */
export class Door {
  readonly #desk: Desk;
  #options: DoorOptions;

  constructor(desk: Desk, options: DoorOptions) {
    this.#desk = desk;
    this.#options = options;
  }

  /** Takes requests by other limits from now on. */
  configure(options: DoorOptions): void {
    this.#options = options;
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
      const job = this.#jobOf(req, parsed.request, { ...of, requestId, bodyBytes: body.length });
      const exchange = new HttpExchange({ job, body, value: parsed.request.value, clientRequestId, res });
      exchange.watch(this.#desk.arrive(exchange));
    });
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
