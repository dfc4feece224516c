import type { EngineKind } from "../../base/engine-observation.ts";
import type { Endpoint } from "../../base/job.ts";
import type { OnLoss } from "../../engines/convert.ts";
import type { KernelConfig } from "../../kernel/config.ts";

/** Where a secret comes from; the secret itself is read at start and never printed. */
export type SecretSource = { readonly env: string } | { readonly file: string };

/** An OpenAI-compatible server by URL; another Baseload is one too. */
export interface OpenAiEngineConfig {
  readonly kind: "openai";
  readonly backendId: string;
  /** Base URL up to and including `/v1` or its like, without a trailing slash. */
  readonly url: string;
  readonly key: SecretSource | null;
  /** Headers sent with every request, besides the key's. */
  readonly headers: Readonly<Record<string, string>>;
  /** True when names are asked of `GET url/models`: the kernel's `models` is null, or has families, whose members are listed then. */
  readonly discoverModels: boolean;
  /** The endpoints that it has itself. */
  readonly speaks: readonly Endpoint[];
  readonly onLoss: OnLoss;
  /** Whose own endpoints it has besides; `auto` finds out. Absent is `openai`: none. */
  readonly engineKind?: EngineKind | "auto";
  /** True when it is asked for families' members alone: a server that has no such list is up all the same. */
  readonly modelsAreOptional: boolean;
}

/** Anthropic's Messages API by URL. */
export interface AnthropicEngineConfig extends Omit<OpenAiEngineConfig, "kind" | "speaks" | "engineKind"> {
  readonly kind: "anthropic";
  /** `max_tokens` of a converted request that names none. */
  readonly defaultMaxTokens: number;
}

/** Where a model's file is. */
export interface StoredModelConfig {
  /** Absolute path of a GGUF. */
  readonly modelPath: string;
  /** What was written, where it may also be the name of a model in the data directory; else null. */
  readonly storedName: string | null;
}

/** llama.cpp in a child process. */
export interface EmbeddedEngineConfig {
  readonly kind: "embedded";
  readonly backendId: string;
  /** Null is the tiny model that the project writes. */
  readonly model: StoredModelConfig | null;
  /** The name clients use. */
  readonly modelName: string;
  readonly sequences: number;
  readonly contextTokens: number | null;
  readonly threads: number | null;
  readonly onLoss: OnLoss;
}

/** llama.cpp's own server in a child process. */
export interface LlamaServerEngineConfig {
  readonly kind: "llama-server";
  readonly backendId: string;
  /** An absolute path, or a name on PATH. */
  readonly binary: string;
  readonly model: StoredModelConfig;
  /** The name clients use. */
  readonly modelName: string;
  readonly sequences: number;
  readonly contextTokens: number | null;
  readonly gpuLayers: number | null;
  /** Further flags. */
  readonly args: readonly string[];
  readonly speaks: readonly Endpoint[];
  readonly onLoss: OnLoss;
}

/** What the clouds' engines have in common. */
interface CloudEngineCommon {
  readonly backendId: string;
  /** Base URL without the API's version or a trailing slash. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly onLoss: OnLoss;
}

/** Google AI Studio's API. */
export interface GeminiEngineConfig extends CloudEngineCommon {
  readonly kind: "gemini";
  readonly key: SecretSource;
  /** True when the kernel's `models` is null: names are asked of the API. */
  readonly discoverModels: boolean;
  /** Whether it is up without them, since the configuration names what it has. */
  readonly modelsAreOptional: boolean;
}

/** Gemini in Vertex AI. Paths are absolute. */
export interface VertexEngineConfig extends CloudEngineCommon {
  readonly kind: "vertex";
  readonly project: string;
  readonly location: string;
  readonly auth: { readonly serviceAccountFile: string } | { readonly tokenFile: string };
}

/** Amazon Bedrock. */
export interface BedrockEngineConfig extends CloudEngineCommon {
  readonly kind: "bedrock";
  readonly region: string;
  readonly auth:
    | { readonly key: SecretSource }
    | {
        readonly accessKeyId: SecretSource;
        readonly secretAccessKey: SecretSource;
        /** Of a temporary key, or null. */
        readonly sessionToken: SecretSource | null;
      };
}

export type CloudEngineConfig = GeminiEngineConfig | VertexEngineConfig | BedrockEngineConfig;

export type EngineConfig =
  | OpenAiEngineConfig
  | AnthropicEngineConfig
  | EmbeddedEngineConfig
  | LlamaServerEngineConfig
  | CloudEngineConfig;

/** A backend whose members are found while it runs; each of them is a backend of its own in the kernel. */
export interface DiscoveredConfig {
  /** Members are named NAME/HOST:PORT. */
  readonly name: string;
  readonly source: DiscoverySource;
  /** Between two looks. */
  readonly everyMs: number;
  /** How long the last members are kept while none are found. */
  readonly keepMs: number;
  readonly scheme: "http" | "https";
  /** Of each member's API, without a trailing slash. */
  readonly path: string;
  /** What each member has, but for its id. */
  readonly backend: KernelConfig["backends"][number];
  /** What each member's engine has, but for its id and url. */
  readonly engine: OpenAiEngineConfig;
}

/** Where members are found: by addresses with `port`, by services without, or in a file at an absolute path. */
export type DiscoverySource =
  | { readonly kind: "dns"; readonly dns: string; readonly port: number | null }
  | { readonly kind: "file"; readonly file: string };

export interface KeyConfig {
  /** The key's name on receipts. */
  readonly name: string;
  /** Where the key comes from, or the SHA-256 of the key in hexadecimal. */
  readonly source: SecretSource | { readonly sha256: string };
  /** Whether its holder may operate the server. */
  readonly admin: boolean;
}

export interface TenantConfig {
  readonly id: string;
  readonly keys: readonly KeyConfig[];
}

/** Where a server's certificate is, as absolute paths. */
export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface ServerConfig {
  readonly host: string;
  readonly port: number;
  /** Null serves plain HTTP. */
  readonly tls: TlsConfig | null;
  readonly maxBodyBytes: number;
  /** Most bytes of a non-streamed answer that are held. */
  readonly maxAnswerBytes: number;
  readonly maxUrlBytes: number;
  /** Headers of one request. */
  readonly maxHeaders: number;
  /** Of all of them together, the URL included. */
  readonly maxHeaderBytes: number;
  /** Levels of objects and arrays in a body. */
  readonly maxJsonDepth: number;
  /** For a request's headers and body to arrive in full. */
  readonly uploadTimeoutMs: number;
  readonly maxConnections: number;
  /** Connections of one client; null is no limit. */
  readonly maxConnectionsPerClient: number | null;
  /** Completions at once. */
  readonly maxOpenRequests: number;
  /** Addresses or networks of proxies that are believed when they say for whom they call. */
  readonly trustedProxies: readonly string[];
  /** How long a finished answer is replayed for its idempotency key. */
  readonly idempotencyKeepMs: number;
  /** Bytes of all answers that are kept for their keys. */
  readonly idempotencyMaxBytes: number;
  /** How long a client may leave its answer unread. */
  readonly clientIdleMs: number;
  /** What the models of embedded engines may take of memory together, by estimate; null is no limit. */
  readonly memoryLimitBytes: number | null;
  /** For open streams to end after a stop signal. */
  readonly shutdownMs: number;
  /** The class of requests that name none. */
  readonly defaultClass: string;
}

/** What clients may store. */
export interface StorageConfig {
  readonly maxFileBytes: number;
  readonly maxFilesBytes: number;
  readonly batchConcurrency: number;
  readonly maxBatchRequests: number;
  readonly batchResultDays: number;
  /** 0: none is stored. */
  readonly responseDays: number;
}

/** baseload.yaml with every default filled in, split by who reads it. */
export interface AppConfig {
  readonly kernel: KernelConfig;
  readonly server: ServerConfig;
  readonly storage: StorageConfig;
  readonly engines: readonly EngineConfig[];
  /** What stands for backends and engines that are found while it runs; they are in neither list until then. */
  readonly discovered: readonly DiscoveredConfig[];
  /** Empty: no keys, loopback only, tenant `default`. */
  readonly tenants: readonly TenantConfig[];
  readonly telemetry: {
    /** Between two probes of a backend whose models are discovered. */
    readonly probeIntervalMs: number;
    /** `none`, `stdout`, or the absolute path of a file. */
    readonly requestLog: string;
    /** Whether its lines name the client's address. */
    readonly logClientAddress: boolean;
  };
}
