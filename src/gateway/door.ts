import type { IncomingMessage, ServerResponse } from "node:http";
import type { ErrorCode } from "../base/errors.ts";
import type { Endpoint, Job } from "../base/job.ts";
import type { Desk } from "../ports/desk.ts";
import { parseRequest, type ParsedRequest } from "../wire/request.ts";
import type { KeyHolder } from "./access.ts";
import { answering, sendError } from "./answers.ts";
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
  readonly #options: DoorOptions;

  constructor(desk: Desk, options: DoorOptions) {
    this.#desk = desk;
    this.#options = options;
  }

  take(
    req: IncomingMessage,
    res: ServerResponse,
    of: { readonly endpoint: Endpoint; readonly holder: KeyHolder },
  ): void {
    const requestId = this.#desk.mint(Date.now());
    const clientRequestId = clientRequestIdOf(req) ?? requestId;
    readBody(req, this.#options.maxBodyBytes, (body) => {
      const exchange = answering(res, () => this.#open(req, res, { ...of, requestId, clientRequestId, body }));
      if (exchange !== null) exchange.watch(this.#desk.arrive(exchange));
    });
  }

  /** The exchange of a request that may go to the desk, or null when it was refused. */
  #open(
    req: IncomingMessage,
    res: ServerResponse,
    of: {
      readonly endpoint: Endpoint;
      readonly holder: KeyHolder;
      readonly requestId: string;
      readonly clientRequestId: string;
      readonly body: Buffer | ErrorCode;
    },
  ): HttpExchange | null {
    const { endpoint, body, clientRequestId } = of;
    const headers = ["x-request-id", clientRequestId];
    const refuse = (code: ErrorCode, more: Parameters<typeof sendError>[2] = {}): null => {
      this.#desk.refused(code);
      sendError(res, code, { ...more, headers: [...headers, ...(more.headers ?? [])] });
      return null;
    };
    if (typeof body === "string") return refuse(body, { headers: ["connection", "close"] });
    if (this.#desk.stopping) return refuse("shutting_down", { retryAfterMs: 1000 });
    const parsed = parseRequest(endpoint, body);
    if (!parsed.ok) return refuse(parsed.code, { detail: parsed.detail, param: parsed.param });
    const job = this.#jobOf(req, parsed.request, { ...of, bodyBytes: body.length });
    return new HttpExchange({ job, body, value: parsed.request.value, clientRequestId, res });
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
