/** Errors that a client of the embedded engine sees, in OpenAI's envelope. */

/** A request that cannot be served, with the HTTP status and the fields of the envelope. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly param: string | null;
  readonly code: string | null;

  /** `param` names the field at fault; `code` is the stable word for programs. */
  constructor(status: number, message: string, detail: { param?: string; code?: string } = {}) {
    super(message);
    this.status = status;
    this.param = detail.param ?? null;
    this.code = detail.code ?? null;
  }
}

/** A 400 for a field whose value is wrong. */
export function badValue(param: string, expected: string): ApiError {
  return new ApiError(400, `Invalid value for '${param}': ${expected}.`, { param, code: "invalid_value" });
}

/** A 400 for a feature that this engine lacks, so that asking for it is never silently ignored. */
export function unsupported(param: string, what: string): ApiError {
  return new ApiError(400, `The embedded engine does not support ${what}.`, { param, code: "unsupported_parameter" });
}

/** The body of an error answer. */
export type ErrorEnvelope = {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
};

/** `error` as status and body. Anything but an `ApiError` is the engine's own fault: a 500 that says so. */
export function errorAnswer(error: unknown): { readonly status: number; readonly body: ErrorEnvelope } {
  if (error instanceof ApiError) {
    const type = error.status >= 500 ? "server_error" : "invalid_request_error";
    return {
      status: error.status,
      body: { error: { message: error.message, type, param: error.param, code: error.code } },
    };
  }
  const message = `The embedded engine failed: ${error instanceof Error ? error.message : String(error)}`;
  return { status: 500, body: { error: { message, type: "server_error", param: null, code: "engine_failed" } } };
}
