import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type ErrorCode, errorRow } from "../base/errors.ts";
import { type ClientErrors, OPENAI_ERRORS } from "../wire/client-errors.ts";
import { errorEnvelope } from "../wire/error.ts";
import { type FlatHeaders, retryAfter, sendError } from "./answers.ts";

/** Refuses a request whose body is not read: the connection cannot be used again, nor where what follows on it is not to be trusted. */
export function refuse(
  req: IncomingMessage,
  res: ServerResponse,
  of: {
    readonly code: ErrorCode;
    readonly headers?: FlatHeaders;
    readonly retryAfterMs?: number;
    readonly errors?: ClientErrors;
    readonly closes?: boolean;
  },
): void {
  const { code, headers = [], retryAfterMs = null, errors = OPENAI_ERRORS } = of;
  const hasBody = req.headers["content-length"] !== undefined || req.headers["transfer-encoding"] !== undefined;
  sendError(res, code, {
    errors,
    retryAfterMs,
    headers: hasBody || of.closes === true ? [...headers, "connection", "close"] : headers,
  });
}

/** What the parser says of bytes that are no request. */
export type ParserError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer };

/** Answers bytes that never became a request; returns the code that it told, or null when nothing could be told. */
export function refuseBytes(
  error: ParserError,
  on: { readonly socket: Socket; readonly answer: ServerResponse | null; readonly maxUrlBytes: number },
): ErrorCode | null {
  const { socket, answer, maxUrlBytes } = on;
  // Bytes put into the middle of an answer that has begun would be taken for a part of it.
  const isInside = answer !== null && answer.headersSent && !answer.writableFinished;
  // Of TLS that failed nothing can be said, since there is no way to say it.
  const isHttp = error.code?.startsWith("HPE_") === true || error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  if (!isHttp || !socket.writable || isInside) {
    socket.destroy();
    return null;
  }
  const code = codeOfParser(error, maxUrlBytes);
  endWith(socket, code);
  return code;
}

/** Answers on a connection that has no request to answer, and closes it. */
export function endWith(socket: Socket, code: ErrorCode): void {
  // Whoever broke it off first is no news, and nobody else listens here.
  socket.on("error", () => {});
  socket.write(refusalBytes(code));
  // Ending our side alone would leave the connection to a client that never ends its own.
  socket.destroySoon();
}

/** An error as a whole HTTP answer after which the connection closes, for where there is no request to answer. */
export function refusalBytes(code: ErrorCode, retryAfterMs: number | null = null): string {
  const body = JSON.stringify(errorEnvelope(code));
  const head = ["content-type: application/json", `content-length: ${Buffer.byteLength(body)}`, "connection: close"];
  if (retryAfterMs !== null) head.push(retryAfter(retryAfterMs).join(": "));
  return `HTTP/1.1 ${errorRow(code).status} Refused\r\n${head.join("\r\n")}\r\n\r\n${body}`;
}

function codeOfParser(error: ParserError, maxUrlBytes: number): ErrorCode {
  if (error.code !== "HPE_HEADER_OVERFLOW") {
    return error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? "request_timeout" : "bad_http";
  }
  // The parser counts the URL as a header; where so many bytes of it are one request line, that is what was too long.
  const line = error.rawPacket?.subarray(0, maxUrlBytes).toString("latin1") ?? "";
  return /^[A-Z]+ [^ \r\n]+$/.test(line) ? "url_too_long" : "headers_too_large";
}
