/** One row of the error table. docs/errors.md is made from it. */
export interface ErrorRow {
  /** HTTP status when the headers have not gone out yet. */
  readonly status: number;
  /** OpenAI's `error.type`. */
  readonly type: string;
  /** What happened, in words for the caller. A detail may follow it after a colon. */
  readonly message: string;
  /** What to do next. */
  readonly remedy: string;
  /** Whether the same request may succeed when sent again. */
  readonly retriable: boolean;
}

const invalid = "invalid_request_error";
const server = "server_error";

/** Every error that Baseload answers with, by code. Upstream errors that are relayed keep the upstream's own words. */
export const ERRORS = {
  invalid_json: {
    status: 400,
    type: invalid,
    retriable: false,
    message: "The body is not valid JSON",
    remedy: "Send a JSON object with content-type application/json.",
  },
  json_too_deep: {
    status: 400,
    type: invalid,
    retriable: false,
    message: "The body nests objects and arrays too deeply",
    remedy: "Send JSON of fewer levels, or raise server.maxJsonDepth.",
  },
  invalid_request: {
    status: 400,
    type: invalid,
    retriable: false,
    message: "The request does not have the shape that this endpoint takes",
    remedy: "Correct the member that is named; see the API's reference.",
  },
  unsupported_encoding: {
    status: 415,
    type: invalid,
    retriable: false,
    message: "The body's content-encoding is not supported",
    remedy: "Send the body as it is, or compressed once with gzip, deflate, br or zstd.",
  },
  invalid_encoding: {
    status: 400,
    type: invalid,
    retriable: false,
    message: "The body is not what its content-encoding says",
    remedy: "Compress the whole body in the format that the header names, or leave the header out.",
  },
  request_too_large: {
    status: 413,
    type: invalid,
    retriable: false,
    message: "The body, decompressed, is larger than this server accepts",
    remedy: "Send less, or raise server.maxBodyBytes.",
  },
  request_timeout: {
    status: 408,
    type: invalid,
    retriable: true,
    message: "The request did not arrive in full in time",
    remedy: "Send the body without pausing, or raise server.uploadTimeoutMs.",
  },
  headers_too_large: {
    status: 431,
    type: invalid,
    retriable: false,
    message: "The request's headers are too large or too many",
    remedy: "Send fewer and shorter headers, or raise server.maxHeaders or server.maxHeaderBytes.",
  },
  url_too_long: {
    status: 414,
    type: invalid,
    retriable: false,
    message: "The request's URL is too long",
    remedy: "Send a request's content in its body, or raise server.maxUrlBytes.",
  },
  bad_http: {
    status: 400,
    type: invalid,
    retriable: false,
    message: "The bytes received are not a well-formed HTTP/1.1 request",
    remedy: "Use an HTTP/1.1 client.",
  },
  missing_key: {
    status: 401,
    type: "authentication_error",
    retriable: false,
    message: "No API key was given",
    remedy: "Send `Authorization: Bearer KEY`, or `x-api-key: KEY`, with a key of a tenant in baseload.yaml.",
  },
  wrong_key: {
    status: 401,
    type: "authentication_error",
    retriable: false,
    message: "The API key is not known here",
    remedy: "Check the key, or add its tenant to baseload.yaml.",
  },
  origin_refused: {
    status: 403,
    type: "permission_error",
    retriable: false,
    message:
      "Without keys, only programs on this machine are served, and this request names another host or a web page's origin",
    remedy: "Call http://127.0.0.1, or give tenants keys in baseload.yaml.",
  },
  not_admin: {
    status: 403,
    type: "permission_error",
    retriable: false,
    message: "This key may not operate the server",
    remedy: "Use a key marked `admin: true` in baseload.yaml.",
  },
  route_not_found: {
    status: 404,
    type: invalid,
    retriable: false,
    message: "There is nothing at this path",
    remedy:
      "Use /v1/chat/completions, /v1/completions, /v1/messages, /v1/models, /api/receipts/ID, /api/runs, /api/backends, /metrics, /healthz or /readyz.",
  },
  method_not_allowed: {
    status: 405,
    type: invalid,
    retriable: false,
    message: "This path does not take this method",
    remedy: "Use the method in the `allow` header.",
  },
  model_not_found: {
    status: 404,
    type: invalid,
    retriable: false,
    message: "No backend serves this model",
    remedy: "Ask GET /v1/models for the names, or add the model to a backend in baseload.yaml.",
  },
  endpoint_not_served: {
    status: 404,
    type: invalid,
    retriable: false,
    message: "No backend that has this model serves this endpoint",
    remedy: "Use another endpoint, or set the backend's `endpoints`.",
  },
  not_expressible: {
    status: 400,
    type: invalid,
    retriable: false,
    message: "No backend of this model has a word in its API for something that the request asks for",
    remedy: "Leave it out, or let the backend leave it out with `onLoss: drop`.",
  },
  context_length_exceeded: {
    status: 400,
    type: invalid,
    retriable: false,
    message: "The prompt and the answer asked for are longer than the model's or any backend's context",
    remedy: "Shorten the prompt, ask for fewer output tokens, or add a backend with a larger context.",
  },
  output_limit_exceeded: {
    status: 400,
    type: invalid,
    retriable: false,
    message: "More output tokens are asked for than the model can answer with",
    remedy: "Ask for fewer with max_tokens or max_completion_tokens; GET /v1/models has max_output_tokens.",
  },
  content_unsupported: {
    status: 400,
    type: invalid,
    retriable: false,
    message: "The model does not take what the request contains",
    remedy: "Leave it out, or ask for a model that GET /v1/models shows to take it.",
  },
  unknown_class: {
    status: 400,
    type: invalid,
    retriable: false,
    message: "The service class is not configured",
    remedy: "Use a class from `classes` in baseload.yaml, or leave the header out.",
  },
  backend_not_found: {
    status: 404,
    type: invalid,
    retriable: false,
    message: "There is no backend of this name",
    remedy: "Ask GET /api/backends for the names.",
  },
  file_not_found: {
    status: 404,
    type: invalid,
    retriable: false,
    message: "There is no file of this id for this tenant, or it has expired",
    remedy: "Ask GET /v1/files for the ids.",
  },
  file_too_large: {
    status: 413,
    type: invalid,
    retriable: false,
    message: "The file is larger than this server accepts",
    remedy: "Send less, or raise storage.maxFileBytes.",
  },
  file_storage_full: {
    status: 507,
    type: server,
    retriable: false,
    message: "There is no room left for files",
    remedy: "Delete files that are no longer needed, or raise storage.maxFilesBytes.",
  },
  response_not_found: {
    status: 404,
    type: invalid,
    retriable: false,
    message: "There is no stored response of this id for this tenant, or it has expired",
    remedy:
      "Send the conversation itself as `input`; responses are stored where storage.responseDays says so and `store` is not false.",
  },
  batch_not_found: {
    status: 404,
    type: invalid,
    retriable: false,
    message: "There is no batch of this id for this tenant",
    remedy: "Ask GET /v1/batches for the ids.",
  },
  receipt_not_found: {
    status: 404,
    type: invalid,
    retriable: false,
    message: "There is no receipt of this id for this tenant",
    remedy: "Use the id from a response's x-baseload-receipt header.",
  },
  run_not_found: {
    status: 404,
    type: invalid,
    retriable: false,
    message: "There is no run of this id for this tenant",
    remedy: "Ask GET /api/runs for recent runs, or send calls with this x-baseload-run first.",
  },
  run_limit_exceeded: {
    status: 403,
    type: "permission_error",
    retriable: false,
    message: "This run has reached a limit",
    remedy:
      "End the run, give the call a smaller max_tokens, or raise the limit under `runs` in baseload.yaml for a new run.",
  },
  run_limit_unknown: {
    status: 403,
    type: "permission_error",
    retriable: false,
    message: "This run has a limit on something that cannot be told for a backend that may serve it",
    remedy: "Give the backend a price or watts, or set `runs.unknown: allow` in baseload.yaml.",
  },
  run_loop_detected: {
    status: 400,
    type: invalid,
    retriable: false,
    message: "This run makes the same call again and again",
    remedy: "Let the agent change its messages, or raise `runs.maxSameCalls` in baseload.yaml.",
  },
  idempotency_conflict: {
    status: 409,
    type: invalid,
    retriable: false,
    message: "This idempotency key was used for another request",
    remedy: "Use a new key for each request, and the same key only to send the same body to the same path again.",
  },
  idempotency_in_progress: {
    status: 409,
    type: invalid,
    retriable: true,
    message: "The first request with this idempotency key has not been answered yet",
    remedy: "Try again after the time in retry-after; the answer is then replayed.",
  },
  too_many_connections: {
    status: 503,
    type: server,
    retriable: true,
    message: "This server, or this client, has as many connections open as it may",
    remedy: "Keep connections and use them again, or raise server.maxConnections or server.maxConnectionsPerClient.",
  },
  too_many_requests: {
    status: 429,
    type: "rate_limit_error",
    retriable: true,
    message: "This server has as many requests open as it may",
    remedy: "Try again after the time in retry-after, or raise server.maxOpenRequests.",
  },
  no_members: {
    status: 503,
    type: server,
    retriable: true,
    message: "Servers of this model are looked for, and there is none now",
    remedy:
      "Try again after the time in retry-after; check that they run, and that the backend's `discover` finds them.",
  },
  queue_full: {
    status: 429,
    type: "rate_limit_error",
    retriable: true,
    message: "Every backend that fits is at its limit, and the queue is full",
    remedy: "Try again after the time in retry-after, or raise the backends' maxConcurrent.",
  },
  quota_exceeded: {
    status: 429,
    type: "rate_limit_error",
    retriable: true,
    message: "Every backend that fits has used up what its provider grants",
    remedy: "Try again after the time in retry-after, or raise the backends' quota if their providers grant more.",
  },
  queue_timeout: {
    status: 503,
    type: server,
    retriable: true,
    message: "No backend became free in time",
    remedy: "Try again later, add capacity, or raise server.queueTimeoutMs.",
  },
  storage_unavailable: {
    status: 503,
    type: server,
    retriable: true,
    message: "Receipts cannot be stored now, so no new request is taken",
    remedy: "Free or mend the disk that holds the data directory; see /readyz.",
  },
  shutting_down: {
    status: 503,
    type: server,
    retriable: true,
    message: "This server is stopping",
    remedy: "Send the request again to another replica, or shortly.",
  },
  upstream_unreachable: {
    status: 502,
    type: server,
    retriable: true,
    message: "The backend could not be reached",
    remedy: "Check that the backend runs and that its url is right.",
  },
  upstream_connect_timeout: {
    status: 504,
    type: server,
    retriable: true,
    message: "The backend did not accept a connection in time",
    remedy: "Check the network to the backend, or raise watch.connectMs.",
  },
  upstream_headers_timeout: {
    status: 504,
    type: server,
    retriable: true,
    message: "The backend did not begin to answer in time",
    remedy: "Check the backend's load, or raise watch.headersMs.",
  },
  upstream_first_timeout: {
    status: 504,
    type: server,
    retriable: true,
    message: "The backend sent no first token in time",
    remedy: "Check the backend's load, or raise watch.firstMs.",
  },
  upstream_idle_timeout: {
    status: 504,
    type: server,
    retriable: true,
    message: "The backend fell silent in the middle of its answer",
    remedy: "Check the backend, or raise watch.idleMs.",
  },
  upstream_total_timeout: {
    status: 504,
    type: server,
    retriable: true,
    message: "The answer took longer than allowed",
    remedy: "Ask for fewer tokens, or raise watch.totalMs.",
  },
  upstream_broken: {
    status: 502,
    type: server,
    retriable: true,
    message: "The backend ended its answer before it was complete",
    remedy: "Send the request again; check the backend's own log.",
  },
  upstream_bad_response: {
    status: 502,
    type: server,
    retriable: true,
    message: "The backend answered with something that is not a completion",
    remedy: "Check that the backend's url leads to an API of its `engine`.",
  },
  upstream_too_large: {
    status: 502,
    type: server,
    retriable: false,
    message: "The backend's answer is larger than this server accepts",
    remedy: "Ask for a stream, or for fewer tokens.",
  },
  upstream_unauthorized: {
    status: 502,
    type: server,
    retriable: false,
    message: "The backend refused this server's own credentials",
    remedy: "Check the backend's key in baseload.yaml; your own key is fine.",
  },
  upstream_error: {
    status: 502,
    type: server,
    retriable: true,
    message: "The backend answered with an error",
    remedy: "See the status and message it gave.",
  },
  client_gone: {
    status: 499,
    type: invalid,
    retriable: true,
    message: "The client closed the connection before the answer was complete",
    remedy: "Nothing to do; the receipt shows what was used until then.",
  },
  client_too_slow: {
    status: 499,
    type: invalid,
    retriable: true,
    message: "The client did not read its answer in time, so its connection was closed",
    remedy:
      "Read the stream without pausing, or raise server.clientIdleMs; the receipt shows what was used until then.",
  },
  internal: {
    status: 500,
    type: server,
    retriable: true,
    message: "Baseload made a mistake",
    remedy: "Report it with the receipt's id and the log line of that moment.",
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** The row of a code. */
export function errorRow(code: ErrorCode): ErrorRow {
  return ERRORS[code];
}
