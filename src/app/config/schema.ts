import { z } from "zod";
import { ENGINE_KINDS } from "../../base/engine-observation.ts";
import { DEFAULT_MAX_TOKENS } from "../../wire/anthropic/shape.ts";
import { discover } from "./discover-fields.ts";
import { llamaServerFields, localFields } from "./local-fields.ts";
import { count, decimal, milliseconds, objective, optionalCount } from "./fields.ts";
import { modelEntry, modelName, modelRules } from "./model-fields.ts";
import { name, named } from "./names.ts";
import { say } from "./say.ts";
import { runs, tenantRuns } from "./run-fields.ts";
import { env, literalKey, secretFile, secretSource } from "./secret-fields.ts";
import { network, tls } from "./server-fields.ts";
import { quota } from "./quota-fields.ts";
import { baseUrl, headers, serviceUrl } from "./upstream-fields.ts";

/** Keys that hold decimal numbers. The reader keeps their text, so that no figure passes through binary floating point. */
export const DECIMAL_KEYS: ReadonlySet<string> = new Set([
  "pue",
  "electricityUsdPerKwh",
  "gridGramsPerKwh",
  "inputUsdPerMillion",
  "cachedInputUsdPerMillion",
  "cacheWriteUsdPerMillion",
  "outputUsdPerMillion",
  "reasoningUsdPerMillion",
  "maxUsd",
  "maxJoules",
  "loraScale",
]);

/** Top-level names of the design that this version does not act on. Accepting a setting that does nothing would be a lie. */
export const RESERVED_KEYS: ReadonlySet<string> = new Set(["objective", "policy"]);

const server = z.strictObject({
  host: z
    .string()
    .min(1)
    .default("127.0.0.1")
    .describe("Address to listen on. Without tenants' keys only a loopback address is allowed."),
  port: z.int().min(0).max(65_535).default(8080).describe("TCP port to listen on. 0 takes any free one."),
  tls: tls.optional(),
  maxBodyBytes: count(1, 33_554_432, "Largest request body, in bytes."),
  maxAnswerBytes: count(
    1,
    67_108_864,
    "Largest answer that is held in memory when the client does not stream, in bytes.",
  ),
  maxUrlBytes: count(1, 8192, "Longest URL, in bytes. One that is longer is answered with 414."),
  maxHeaders: count(1, 100, "Headers of one request. More are answered with 431."),
  maxHeaderBytes: z
    .int()
    .min(1024)
    .max(1_048_576)
    .default(16_384)
    .describe("A request's headers together, its URL included, in bytes. More are answered with 431."),
  maxJsonDepth: z
    .int()
    .min(8)
    .max(1000)
    .default(256)
    .describe("Levels of objects and arrays in a body. More are answered with 400."),
  uploadTimeoutMs: milliseconds(30_000, "For a request's headers and body to arrive in full."),
  maxConnections: count(1, 10_000, "Connections at once. One more is answered with 503 and closed."),
  maxConnectionsPerClient: optionalCount(
    "Connections of one client at once: of an IPv4 address or an IPv6 /64. Through trusted proxies, its open requests. Absent: no limit.",
  ),
  maxOpenRequests: count(
    1,
    10_000,
    "Completions at once, from their headers to the last byte of their answers. One more is answered with 429.",
  ),
  trustedProxies: z
    .array(network)
    .default([])
    .describe(
      "Addresses or networks (CIDR) of proxies in front. Only they are believed when x-forwarded-for says who calls.",
    ),
  idempotencyKeepMs: milliseconds(
    600_000,
    "How long a finished answer is replayed to requests with its idempotency key.",
  ),
  idempotencyMaxBytes: count(
    0,
    67_108_864,
    "Bytes of all answers kept for idempotency keys. The oldest make room; one that is larger is not kept.",
  ),
  clientIdleMs: milliseconds(60_000, "How long a client may leave bytes of its answer unread before it is closed."),
  memoryLimitBytes: optionalCount(
    "Memory that the models of embedded engines may take together, in bytes, by estimate. Models that do not fit at once are loaded when they are asked for, and the one used longest ago leaves. Absent: all are loaded.",
  ),
  shutdownMs: z
    .int()
    .min(0)
    .max(2_147_483_647)
    .default(10_000)
    .describe("For open answers to end after a stop signal. In milliseconds."),
  maxQueued: count(0, 1024, "Requests that may wait for a backend. One more is answered with 429."),
  queueTimeoutMs: milliseconds(30_000, "How long a request may wait for a backend."),
  maxAttempts: z
    .int()
    .min(1)
    .max(100)
    .default(3)
    .describe("Sends for one request, fallbacks to other backends included."),
  defaultClass: name("Class of requests that name none.").default("standard"),
  cooldownFirstMs: milliseconds(
    1000,
    "How long a backend that failed is passed over. Doubles with each failure in a row.",
  ),
  cooldownMaxMs: milliseconds(30_000, "The longest that a backend is passed over after a failure."),
});

const site = z.strictObject({
  layer: z.enum(["device", "enterprise", "region", "cloud"]).describe("The ring it belongs to, from near to far."),
  jurisdiction: z.string().min(1).max(64).optional().describe("Whose law applies, such as DE or US-CA.."),
  pue: decimal(
    3,
    "Power usage effectiveness: the site's power over its machines' power. At least 1, up to 3 decimals.",
    1,
  ).optional(),
  electricityUsdPerKwh: decimal(
    9,
    "Price of electricity, in US dollars per kilowatt-hour, up to 9 decimals.",
  ).optional(),
  gridGramsPerKwh: decimal(
    3,
    "Carbon intensity of the grid, in grams of CO2-equivalent per kilowatt-hour, up to 3 decimals.",
  ).optional(),
});

const watch = z.strictObject({
  connectMs: milliseconds(5000, "Until a connection to the backend stands."),
  headersMs: milliseconds(60_000, "Until the response headers, from the send."),
  firstMs: milliseconds(60_000, "Until the first real content, from the send."),
  idleMs: milliseconds(
    30_000,
    "Between two pieces of an answer. Time in which the client does not read does not count.",
  ),
  totalMs: milliseconds(600_000, "Until the end of the answer, from the send."),
  progressEveryTokens: count(1, 256, "Output tokens between two reports of progress."),
});

const price = z.strictObject({
  inputUsdPerMillion: decimal(9, "US dollars per million input tokens, up to 9 decimals."),
  cachedInputUsdPerMillion: decimal(
    9,
    "US dollars per million input tokens read from a cache. Absent: as input.",
  ).optional(),
  cacheWriteUsdPerMillion: decimal(
    9,
    "US dollars per million input tokens written to the provider's cache. Absent: as input.",
  ).optional(),
  outputUsdPerMillion: decimal(9, "US dollars per million output tokens."),
  reasoningUsdPerMillion: decimal(9, "US dollars per million reasoning tokens. Absent: as output.").optional(),
});

const common = {
  site: z
    .string()
    .optional()
    .describe("The site it stands at, one of `sites`. May be left out when there is only one."),
  endpoints: z
    .array(z.enum(["chat", "completions", "responses", "embeddings", "messages", "count_tokens"]))
    .min(1)
    .default(["chat", "completions", "embeddings"])
    .describe(
      "What it has itself: chat is /v1/chat/completions, completions /v1/completions, responses /v1/responses, embeddings /v1/embeddings, messages /v1/messages, count_tokens /v1/messages/count_tokens. Conversations of another shape than it has are converted.",
    ),
  onLoss: z
    .enum(["refuse", "drop"])
    .default("refuse")
    .describe(
      "What becomes of members of a request that its API has no word for, when one shape is converted into another: refuse answers 400 and names them, drop leaves them out and names them in the header x-baseload-dropped. Hints, such as marks for a prompt cache, are always left out and named.",
    ),
  watts: optionalCount(
    "Power drawn while it is busy, in whole watts, without the site's overhead. Absent: energy is unknown on receipts.",
    1_000_000_000,
  ),
  price: price
    .optional()
    .describe(
      "What its tokens cost, unless the backend reports a cost. Absent: the electricity where watts and its price are known, else unknown.",
    ),
  onDisconnect: z
    .enum(["cancel", "drain"])
    .default("cancel")
    .describe(
      "When a client leaves: cancel ends the attempt at once; drain lets it run on for at most drainMs, for backends that bill in full anyway, so that its true usage is known.",
    ),
  drainMs: milliseconds(30_000, "How long an attempt whose client left may run on, with onDisconnect: drain."),
  watch: watch.prefault({}).describe("How long each stage of an answer may take before the attempt counts as failed."),
};

const notAChoice = (issue: { readonly input?: unknown }): string | undefined =>
  issue.input === undefined
    ? undefined
    : say(
        "not a choice of models",
        "write a list of names, a map from the client's name to the backend's, or \"*\" for any name",
      );

const modelChoice = z.union([z.literal("*"), z.array(modelName).min(1), z.record(modelName, modelName)], {
  error: notAChoice,
});

const addressedModel = z.strictObject({
  model: modelName.describe("The backend's own name of the model."),
  lora: z
    .union([modelName, z.int().min(0)])
    .optional()
    .describe("A LoRA adapter on top of it: its name, or with llamacpp its number in /lora-adapters."),
  loraScale: decimal(3, "Weight of the adapter, with llamacpp only. Absent: 1.").optional(),
  dataParallelRank: z
    .int()
    .min(0)
    .optional()
    .describe("The data-parallel rank that serves it, with vllm and sglang only."),
});

const openai = z.strictObject({
  engine: z
    .enum([...ENGINE_KINDS, "auto"])
    .optional()
    .describe(
      "What stands at `url`: openai, the default, is any server with an OpenAI-compatible API; the others are asked for their load, models and limits too, each by its own endpoints; auto finds out which it is.",
    ),
  url: baseUrl.optional(),
  discover: discover
    .optional()
    .describe(
      "Where members are found, each of which is a backend NAME/HOST:PORT with these settings. In place of `url`.",
    ),
  key: secretSource.optional().describe("The key sent as `authorization: Bearer`: {env: NAME} or {file: PATH}."),
  headers: headers.optional(),
  models: z
    .union([z.literal("*"), z.array(modelName).min(1), z.record(modelName, z.union([modelName, addressedModel]))], {
      error: notAChoice,
    })
    .optional()
    .describe(
      'Models it serves: a list of names, a map from the name that clients use to the backend\'s own or to {model, lora, dataParallelRank}, or "*" for any name. A name that ends with a star is a family, such as gpt-*. Absent: asked of GET url/models.',
    ),
  maxConcurrent: optionalCount("Requests it may hold at once. Absent: no limit."),
  quota: quota.optional(),
  contextTokens: optionalCount(
    "Tokens that prompt and answer may fill together. Absent: what its engine says, else unknown, so never a reason to refuse.",
  ),
  ...common,
});

const anthropic = z.strictObject({
  engine: z.literal("anthropic").describe("Anthropic's Messages API, or another that is like it."),
  url: baseUrl
    .default("https://api.anthropic.com/v1")
    .describe("Base URL of the API, up to and including /v1. http or https, without credentials or query."),
  key: secretSource.optional().describe("The key sent as `x-api-key`: {env: NAME} or {file: PATH}."),
  headers: headers.optional(),
  models: modelChoice
    .optional()
    .describe(
      'Models it serves: a list of names, a map from the name that clients use to the backend\'s own, or "*" for any name. A name that ends with a star is a family, such as claude-*. Absent: asked of GET url/models.',
    ),
  maxConcurrent: optionalCount("Requests it may hold at once. Absent: no limit."),
  quota: quota.optional(),
  contextTokens: optionalCount(
    "Tokens that prompt and answer may fill together. Absent: unknown, so never a reason to refuse.",
  ),
  defaultMaxTokens: count(
    1,
    DEFAULT_MAX_TOKENS,
    "max_tokens of a converted request that names none, since this API wants one. An answer that comes to it ends with finish_reason length.",
  ),
  ...common,
  endpoints: z
    .array(z.enum(["messages", "count_tokens"]))
    .min(1)
    .default(["messages", "count_tokens"])
    .describe(
      "What it has itself: messages is /v1/messages, count_tokens /v1/messages/count_tokens. Conversations of another shape are converted.",
    ),
});

const embedded = z.strictObject({
  engine: z.literal("embedded").describe("llama.cpp inside Baseload, in a process of its own."),
  model: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Path of a GGUF file, relative to this file, or the name of a model that was pulled. Absent: the tiny model that comes with Baseload.",
    ),
  name: modelName
    .optional()
    .describe("Name that clients use. Absent: the file's name without .gguf, or baseload-tiny."),
  contextTokens: optionalCount(
    "Tokens that prompt and answer of one request may fill together. Absent: what the model was made for.",
  ),
  threads: optionalCount("Processor threads. Absent: one less than there are cores.", 1024),
  ...localFields,
  ...common,
});

const llamaServer = z.strictObject({
  ...llamaServerFields,
  name: modelName.optional().describe("Name that clients use. Absent: the file's name without .gguf."),
  ...localFields,
  ...common,
});

// What a cloud's engine serves is what can be converted for it.
const { endpoints: _endpoints, ...commonOfClouds } = common;

const cloud = {
  headers: headers.optional(),
  models: modelChoice.describe(
    'Models it serves: a list of names, a map from the name that clients use to the service\'s own, or "*" for any name. A name that ends with a star is a family, such as gemini-*.',
  ),
  maxConcurrent: optionalCount("Requests it may hold at once. Absent: no limit."),
  quota: quota.optional(),
  contextTokens: optionalCount(
    "Tokens that prompt and answer may fill together. Absent: unknown, so never a reason to refuse.",
  ),
  ...commonOfClouds,
};

const gemini = z.strictObject({
  engine: z.literal("gemini").describe("Google's Gemini API, that of AI Studio."),
  url: serviceUrl("Base URL, without the API's version. http or https, without credentials or query.").default(
    "https://generativelanguage.googleapis.com",
  ),
  key: secretSource.describe("The key sent as `x-goog-api-key`: {env: NAME} or {file: PATH}."),
  ...cloud,
  models: modelChoice
    .optional()
    .describe(
      'Models it serves: a list of names, a map from the name that clients use to the service\'s own, or "*" for any name. A name that ends with a star is a family, such as gemini-*. Absent: asked of GET url/v1beta/models.',
    ),
});

const vertex = z.strictObject({
  engine: z.literal("vertex").describe("Gemini in Google's Vertex AI."),
  project: z.string().min(1).describe("Id of the Google Cloud project."),
  location: z
    .string()
    .regex(/^[a-z0-9-]+$/, { error: say("not a location", "write a region, such as europe-west4, or global") })
    .default("global")
    .describe("Where the models are: a region, such as europe-west4, or global."),
  url: serviceUrl("Base URL in place of the location's own, without the API's version.").optional(),
  serviceAccountFile: secretFile
    .optional()
    .describe("Path of the JSON file with a service account's key, relative to this file. Read at start."),
  tokenFile: secretFile
    .optional()
    .describe(
      "Path of a file with an access token that another program keeps fresh, relative to this file. In place of `serviceAccountFile`.",
    ),
  ...cloud,
});

const bedrock = z.strictObject({
  engine: z.literal("bedrock").describe("Amazon Bedrock's Converse."),
  region: z
    .string()
    .regex(/^[a-z0-9-]+$/, { error: say("not a region", "write it as AWS does, such as eu-central-1") })
    .describe("The AWS region, such as eu-central-1."),
  url: serviceUrl("Base URL in place of the region's own. http or https, without credentials or query.").optional(),
  key: secretSource
    .optional()
    .describe("A Bedrock API key, sent as `authorization: Bearer`: {env: NAME} or {file: PATH}."),
  accessKeyId: secretSource
    .optional()
    .describe("The access key's id, with which requests are signed: {env: NAME} or {file: PATH}. In place of `key`."),
  secretAccessKey: secretSource.optional().describe("The access key's secret: {env: NAME} or {file: PATH}."),
  sessionToken: secretSource
    .optional()
    .describe("The session token of a temporary access key: {env: NAME} or {file: PATH}. Read at start."),
  ...cloud,
});

const backend = z.discriminatedUnion("engine", [openai, anthropic, embedded, llamaServer, gemini, vertex, bedrock]);

const serviceClass = z.strictObject({
  ttftMs: objective("Time to first token."),
  tpotMs: objective("Time per output token after the first."),
  e2eMs: objective("Time from arrival to the end of the answer."),
});

const key = z
  .strictObject(
    {
      name: name("The key's name on receipts."),
      env: env.optional(),
      file: secretFile.optional(),
      sha256: z
        .string()
        .regex(/^[0-9a-fA-F]{64}$/, {
          error: say("not a SHA-256", "write the 64 hexadecimal digits of the key's SHA-256, never the key itself"),
        })
        .optional()
        .describe("SHA-256 of the key, 64 hexadecimal digits, so that the key itself is nowhere on this machine."),
      admin: z
        .boolean()
        .default(false)
        .describe("Whether it may operate the server: see, cordon and drain backends at /api/backends."),
      ...modelRules("the key, of those of its tenant,"),
    },
    {
      error: literalKey(
        "a tenant's key must not be written in this file",
        "write {name: ITS_NAME, env: A_VARIABLE}, or file: or sha256: in place of env:",
      ),
    },
  )
  .refine((value) => [value.env, value.file, value.sha256].filter((source) => source !== undefined).length === 1, {
    error: say("needs exactly one of env, file and sha256", "say where the key comes from, once"),
  })
  .meta({ oneOf: [{ required: ["env"] }, { required: ["file"] }, { required: ["sha256"] }] });

const tenant = z.strictObject({
  keys: z.array(key).min(1).describe("Keys that its programs send as `authorization: Bearer`."),
  runs: tenantRuns.optional().describe("Limits of its runs, in place of those under `runs`, key by key."),
  ...modelRules("the tenant"),
});

/**
 * The shape of baseload.yaml. Unknown keys are errors. What it parses to still has the file's names, but money is integer
 * nano-dollars, grid figures milligrams and PUE thousandths; resolve.ts makes the AppConfig of it.
 */
export const configSchema = z
  .strictObject({
    version: z.literal(1).describe("Version of this format."),
    server: server.prefault({}).describe("The HTTP server and the limits that hold for every backend."),
    sites: named(site, "Places where backends stand, by name. Absent: one site `local` of layer device.").optional(),
    backends: named(backend, "Deployments that accept requests, by name. At least one.", 1),
    models: z
      .record(modelName, modelEntry)
      .describe("What is known of models, by the name that clients use, whichever backend serves them; and aliases.")
      .prefault({}),
    classes: named(
      serviceClass,
      "Service classes and their latency objectives. standard, interactive and batch are always there.",
    ).prefault({}),
    tenants: named(
      tenant,
      "Who may call, by name. Absent: no keys, loopback only, all requests belong to tenant `default`.",
    ).prefault({}),
    runs: runs.prefault({}).describe("Limits of the runs of agents: of calls that name the same x-baseload-run."),
    storage: z
      .strictObject({
        maxUnsettled: count(1, 10_000, "Receipts that may wait for the disk before new requests are refused."),
        maxFileBytes: count(1, 104_857_600, "Bytes of one file that a client stores."),
        maxFilesBytes: count(
          0,
          10_737_418_240,
          "Bytes of all files, batches and their results, and stored responses together; 0 stores none.",
        ),
        batchConcurrency: count(1, 8, "Requests of all batches on their way at once."),
        maxBatchRequests: count(1, 50_000, "Requests in one batch."),
        batchResultDays: count(1, 30, "Days for which the results of a batch are kept."),
        responseDays: count(
          0,
          0,
          "Days for which responses and their input are stored on the disk, unless a request says `store: false`; 0 stores none.",
        ),
      })
      .prefault({})
      .describe("The store of receipts, and of what clients store: files, batches and responses."),
    telemetry: z
      .strictObject({
        probeIntervalMs: milliseconds(
          30_000,
          "Between two questions to a backend which models it has and how its engine is doing.",
        ),
        requestLog: z
          .string()
          .min(1)
          .default("none")
          .describe("One JSON line a request, never a body or a key: `none`, `stdout`, or a file that is appended to."),
        logClientAddress: z
          .boolean()
          .default(false)
          .describe(
            "Whether its lines name the client's address, as seen through trusted proxies. An address is personal data in many places.",
          ),
      })
      .prefault({})
      .describe("What is observed and shown."),
  })
  .meta({
    title: "Baseload configuration",
    description: "baseload.yaml: what stands where, who may call, and within which limits.",
  });

/** A file that the schema accepted, defaults filled in. */
export type ParsedConfig = z.output<typeof configSchema>;
export type ParsedBackend = ParsedConfig["backends"][string];
