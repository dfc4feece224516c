import type { RequestId } from "./ids.ts";
import type { RunCall } from "./run.ts";

/** The four rings, from near to far. */
export type Layer = "device" | "enterprise" | "region" | "cloud";

/** What a client called. `messages` is Anthropic's Messages API, `count_tokens` its count of a prompt. */
export type Endpoint = "chat" | "completions" | "responses" | "embeddings" | "messages" | "count_tokens";

/** Who asks. `key` is the key's name in the configuration, never the key. */
export interface Principal {
  readonly tenant: string;
  readonly project: string | null;
  readonly user: string | null;
  readonly key: string | null;
}

/** What a request asks of a model besides reading and writing text. */
export interface Needs {
  /** It offers tools. */
  readonly tools: boolean;
  /** It wants an answer by a JSON Schema. */
  readonly jsonSchema: boolean;
  readonly images: boolean;
  readonly audio: boolean;
}

/** What dispatch needs to know of a request; never its body. */
export interface Job {
  readonly requestId: RequestId;
  readonly principal: Principal;
  /** The service class, one of the configuration's `classes`. */
  readonly class: string;
  /** The model asked for, as the client wrote it. */
  readonly model: string;
  readonly endpoint: Endpoint;
  readonly stream: boolean;
  /** Whether the client asked for `stream_options.include_usage`. */
  readonly wantsUsage: boolean;
  /** Size of the body in bytes. */
  readonly bodyBytes: number;
  /** Length of the prompt's text in UTF-16 code units, images and the like left out. */
  readonly promptTextLength: number;
  /** The most output tokens the client asked for, or null. */
  readonly maxOutputTokens: number | null;
  /** Absent: nothing is known of it. */
  readonly needs?: Needs;
  /** Policy attributes by name, such as a data class. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Chained 64-bit hashes of the prompt's blocks in hexadecimal; empty while nothing reads them. */
  readonly prefixHashes: readonly string[];
  /** Tokens in one block, or null where blocks are of 256 bytes. */
  readonly blockTokens: number | null;
  /** The run of an agent that the call belongs to, or null. */
  readonly run: RunCall | null;
}

/** How a figure was come by. Only `measured`, `provider_reported` and the counters are facts; the rest are estimates. */
export type FigureMethod =
  | "measured"
  | "measured_counter"
  | "measured_share"
  | "curve_estimate"
  | "model_estimate"
  | "provider_reported"
  | "counted_estimate"
  | "price_list"
  | "electricity"
  | "default"
  | "unknown";

/** Token counts of one attempt. Null is unknown; zero is a fact. `outputTokens` includes reasoning, `inputTokens` includes cached. */
export interface Usage {
  readonly inputTokens: number | null;
  readonly cachedInputTokens: number | null;
  /** Input tokens that were written to the provider's cache, which some charge more for; included in the input. */
  readonly cacheWriteTokens: number | null;
  readonly outputTokens: number | null;
  readonly reasoningTokens: number | null;
  /** What the provider says it charged, in nano-dollars, or null. */
  readonly reportedCostNanoUsd: number | null;
  /** `provider_reported` when the upstream gave the counts, `counted_estimate` when Baseload counted text. */
  readonly method: "provider_reported" | "counted_estimate" | "unknown";
}

/** Nothing is known of what was used. */
export const UNKNOWN_USAGE: Usage = {
  inputTokens: null,
  cachedInputTokens: null,
  cacheWriteTokens: null,
  outputTokens: null,
  reasoningTokens: null,
  reportedCostNanoUsd: null,
  method: "unknown",
};
