/** How each kind writes answers and errors, as far as kinds differ. Reconstructed from their code and documentation. */
import type { EngineKind } from "../../src/base/engine-observation.ts";

/** One kind's way of answering. */
export interface FakeDialect {
  /** Members of every chunk and answer. */
  readonly common: Readonly<Record<string, unknown>>;
  /** The usage object for these counts. */
  readonly usage: (inputTokens: number, outputTokens: number) => Readonly<Record<string, unknown>>;
  /** Members beside the usage in the last chunk and in a whole answer. */
  readonly last: (inputTokens: number, outputTokens: number) => Readonly<Record<string, unknown>>;
  readonly error: (status: number, message: string) => unknown;
  /** The answer of one that can take no more. */
  readonly busy: { readonly status: number; readonly message: string };
  /** What it answers at a path that it does not have. */
  readonly notFound: (path: string) => { readonly status: number; readonly body: string };
}

type Counts = (inputTokens: number, outputTokens: number) => Readonly<Record<string, unknown>>;

const sums: Counts = (input, output) => ({
  prompt_tokens: input,
  total_tokens: input + output,
  completion_tokens: output,
});
const nothing: Counts = () => ({});
const nested: FakeDialect["error"] = (status, message) => ({
  error: { message, type: typeOf(status), param: null, code: status },
});
const flat: FakeDialect["error"] = (status, message) => ({
  object: "error",
  message,
  type: typeOf(status),
  param: null,
  code: status,
});
const json404: FakeDialect["notFound"] = () => ({ status: 404, body: '{"detail":"Not Found"}' });
const overloaded = { status: 503, message: "The server is overloaded" };

function typeOf(status: number): string {
  return status < 500 ? "BadRequestError" : "InternalServerError";
}

const PLAIN: FakeDialect = {
  common: {},
  usage: sums,
  last: nothing,
  error: nested,
  busy: overloaded,
  notFound: json404,
};

/** Without `--enable-prompt-tokens-details` vLLM's details are null, and what was cached is unknown. */
const VLLM: FakeDialect = {
  ...PLAIN,
  usage: (input, output) => ({ ...sums(input, output), prompt_tokens_details: null }),
};

/** The dialects by kind. */
export const DIALECTS: Readonly<Record<EngineKind, FakeDialect>> = {
  openai: PLAIN,
  vllm: VLLM,
  sglang: {
    ...PLAIN,
    usage: (input, output) => ({ ...sums(input, output), prompt_tokens_details: null, reasoning_tokens: 0 }),
    error: flat,
  },
  trtllm: { ...PLAIN, error: flat },
  llamacpp: {
    ...PLAIN,
    common: { system_fingerprint: "b6900-00dc805" },
    last: (input, output) => ({
      timings: { cache_n: input - 1, prompt_n: 1, prompt_ms: 30.958, predicted_n: output, predicted_ms: 661.064 },
    }),
    error: (status, message) => ({
      error: { code: status, message, type: status < 500 ? "invalid_request_error" : "server_error" },
    }),
    busy: { status: 503, message: "Loading model" },
    notFound: () => ({
      status: 404,
      body: '{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}',
    }),
  },
  ollama: {
    ...PLAIN,
    common: { system_fingerprint: "fp_ollama" },
    usage: (input, output) => ({ ...sums(input, output), prompt_tokens_details: { cached_tokens: 0 } }),
    error: (status, message) => ({
      error: { message, type: status < 500 ? "invalid_request_error" : "api_error", param: null, code: null },
    }),
    busy: { status: 503, message: "server busy, please try again.  maximum pending requests exceeded" },
    notFound: () => ({ status: 404, body: "404 page not found" }),
  },
  lmstudio: {
    ...PLAIN,
    common: { stats: {}, system_fingerprint: "lmstudio" },
    error: (_, message) => ({ error: message }),
    notFound: (path) => ({
      status: 200,
      body: JSON.stringify({ error: `Unexpected endpoint or method. (GET ${path})` }),
    }),
  },
  tgi: {
    ...PLAIN,
    common: { system_fingerprint: "3.0.1-sha-bb9095a" },
    error: (status, message) => ({ error: message, error_type: status < 500 ? "validation" : "generation" }),
    busy: { status: 429, message: "Model is overloaded" },
    notFound: () => ({ status: 404, body: "" }),
  },
  dynamo: { ...PLAIN, error: (_, message) => ({ error: message }), notFound: () => ({ status: 404, body: "" }) },
};
