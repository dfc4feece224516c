import { dirname, resolve } from "node:path";
import type { EngineKind } from "../../base/engine-observation.ts";
import type { BackendConfig, ClassConfig, KernelConfig, Price, RunRules, SiteConfig } from "../../kernel/config.ts";
import { present } from "../../base/assert.ts";
import { CONVERSATIONS, servedBy } from "../../wire/shapes.ts";
import { addressed } from "./addresses.ts";
import type { Quota } from "../../dispatch/quota.ts";
import { BUILT_IN_CLASSES, DEFAULT_SITE, siteNames } from "./checks.ts";
import { embeddedName } from "./embedded-name.ts";
import { type CloudBackend, cloudEngine, isCloud } from "./resolve-cloud.ts";
import { isLocal, type LocalBackend, localEngine } from "./resolve-local.ts";
import { hasFamily, resolveAccess, resolveModels } from "./resolve-models.ts";
import type { ParsedBackend, ParsedConfig } from "./schema.ts";
import { lowerCased, secretSource } from "./sources.ts";
import type {
  AnthropicEngineConfig,
  AppConfig,
  DiscoveredConfig,
  DiscoverySource,
  EngineConfig,
  KeyConfig,
  OpenAiEngineConfig,
  TenantConfig,
  TlsConfig,
} from "./types.ts";

type AnthropicBackend = Extract<ParsedBackend, { engine: "anthropic" }>;
type OpenAiBackend = Exclude<ParsedBackend, LocalBackend | AnthropicBackend | CloudBackend>;

/** Whether a backend's members are found while it runs. */
function isDiscovered(backend: ParsedBackend): backend is OpenAiBackend {
  return "discover" in backend && backend.discover !== undefined;
}

/** Makes the configuration that the program runs on. `file` is the path that relative paths in it start from. */
export function resolveConfig(parsed: ParsedConfig, file: string): AppConfig {
  const { server, storage } = parsed;
  const from = dirname(resolve(file));
  const all = Object.entries(parsed.backends);
  const backends = all.filter(([, backend]) => !isDiscovered(backend));
  return {
    kernel: {
      version: 1,
      sites: resolveSites(parsed.sites),
      backends: backends.map(([id, backend]) => resolveBackend(id, backend, siteNames(parsed.sites))),
      ...resolveModels(parsed.models),
      access: resolveAccess(parsed.tenants),
      emptyPools: [],
      classes: resolveClasses(parsed.classes),
      limits: {
        maxQueued: server.maxQueued,
        queueTimeoutMs: server.queueTimeoutMs,
        maxAttempts: server.maxAttempts,
        maxUnsettled: storage.maxUnsettled,
      },
      runs: resolveRuns(parsed),
      cooldown: { firstMs: server.cooldownFirstMs, maxMs: server.cooldownMaxMs },
    },
    storage: {
      maxFileBytes: storage.maxFileBytes,
      maxFilesBytes: storage.maxFilesBytes,
      batchConcurrency: storage.batchConcurrency,
      maxBatchRequests: storage.maxBatchRequests,
      batchResultDays: storage.batchResultDays,
      responseDays: storage.responseDays,
    },
    server: {
      host: server.host,
      port: server.port,
      tls: server.tls === undefined ? null : resolveTls(server.tls, from),
      maxBodyBytes: server.maxBodyBytes,
      maxAnswerBytes: server.maxAnswerBytes,
      maxUrlBytes: server.maxUrlBytes,
      maxHeaders: server.maxHeaders,
      maxHeaderBytes: server.maxHeaderBytes,
      maxJsonDepth: server.maxJsonDepth,
      uploadTimeoutMs: server.uploadTimeoutMs,
      maxConnections: server.maxConnections,
      maxConnectionsPerClient: server.maxConnectionsPerClient ?? null,
      maxOpenRequests: server.maxOpenRequests,
      trustedProxies: server.trustedProxies,
      idempotencyKeepMs: server.idempotencyKeepMs,
      idempotencyMaxBytes: server.idempotencyMaxBytes,
      clientIdleMs: server.clientIdleMs,
      memoryLimitBytes: server.memoryLimitBytes ?? null,
      shutdownMs: server.shutdownMs,
      defaultClass: server.defaultClass,
    },
    engines: backends.map(([id, backend]) => resolveEngine(id, backend, from)),
    discovered: all.flatMap(([name, backend]) =>
      resolveDiscovered(name, backend, { from, sites: siteNames(parsed.sites) }),
    ),
    tenants: Object.entries(parsed.tenants).map(([id, tenant]) => resolveTenant(id, tenant, from)),
    telemetry: { ...parsed.telemetry, requestLog: resolveLog(parsed.telemetry.requestLog, from) },
  };
}

function resolveLog(target: string, from: string): string {
  return target === "none" || target === "stdout" ? target : resolve(from, target);
}

function resolveTls(tls: NonNullable<ParsedConfig["server"]["tls"]>, from: string): TlsConfig {
  return { certFile: resolve(from, tls.certFile), keyFile: resolve(from, tls.keyFile) };
}

function resolveSites(sites: ParsedConfig["sites"]): SiteConfig[] {
  const written = Object.entries(sites ?? {});
  const entries: typeof written = written.length > 0 ? written : [[DEFAULT_SITE, { layer: "device" }]];
  return entries.map(([id, site]) => ({
    id,
    layer: site.layer,
    jurisdiction: site.jurisdiction ?? null,
    pueThousandths: site.pue ?? null,
    electricityNanoUsdPerKwh: site.electricityUsdPerKwh ?? null,
    gridMilligramsPerKwh: site.gridGramsPerKwh ?? null,
  }));
}

function resolveBackend(id: string, backend: ParsedBackend, sites: readonly string[]): BackendConfig {
  const sequences = isLocal(backend) ? backend.sequences : null;
  const quota = isLocal(backend) ? undefined : backend.quota;
  return {
    id,
    site: present(backend.site ?? sites[0], "a site always exists"),
    ...modelsOf(backend),
    endpoints: isCloud(backend) ? [...CONVERSATIONS, "embeddings"] : servedBy(backend.endpoints),
    maxConcurrent: lowest(backend.maxConcurrent ?? sequences, quota?.concurrent),
    quota: quota === undefined ? null : resolveQuota(quota),
    contextTokens: backend.contextTokens ?? null,
    watts: backend.watts ?? null,
    price: backend.price === undefined ? null : resolvePrice(backend.price),
    drainMs: backend.onDisconnect === "drain" ? backend.drainMs : null,
    watch: backend.watch,
  };
}

function modelsOf(backend: ParsedBackend): Pick<BackendConfig, "models" | "addresses"> {
  if (isLocal(backend)) return { models: { [embeddedName(backend)]: embeddedName(backend) } };
  return addressed(isCloud(backend) ? "openai" : engineKind(backend), backend.models);
}

function lowest(limit: number | null, other: number | undefined): number | null {
  return limit === null || other === undefined ? (limit ?? other ?? null) : Math.min(limit, other);
}

function resolveQuota(quota: NonNullable<OpenAiBackend["quota"]>): Quota {
  return {
    requestsPerMinute: quota.requestsPerMinute ?? null,
    tokensPerMinute: quota.tokensPerMinute ?? null,
    requestsPerDay: quota.requestsPerDay ?? null,
    tokensPerDay: quota.tokensPerDay ?? null,
    assumedOutputTokens: quota.assumedOutputTokens,
  };
}

function resolveDiscovered(
  name: string,
  backend: ParsedBackend,
  of: { readonly from: string; readonly sites: readonly string[] },
): DiscoveredConfig[] {
  if (!isDiscovered(backend) || backend.discover === undefined) return [];
  const { dns, port, file, everyMs, keepMs, scheme, path } = backend.discover;
  const source: DiscoverySource =
    file === undefined
      ? { kind: "dns", dns: present(dns, "the schema lets a discovery have one source"), port: port ?? null }
      : { kind: "file", file: resolve(of.from, file) };
  const engine = openAiEngine(name, backend, of.from);
  return [{ name, source, everyMs, keepMs, scheme, path, backend: resolveBackend(name, backend, of.sites), engine }];
}

function resolvePrice(price: NonNullable<ParsedBackend["price"]>): Price {
  return {
    inputNanoUsdPerMillion: price.inputUsdPerMillion,
    cachedInputNanoUsdPerMillion: price.cachedInputUsdPerMillion ?? null,
    cacheWriteNanoUsdPerMillion: price.cacheWriteUsdPerMillion ?? null,
    outputNanoUsdPerMillion: price.outputUsdPerMillion,
    reasoningNanoUsdPerMillion: price.reasoningUsdPerMillion ?? null,
  };
}

function resolveEngine(backendId: string, backend: ParsedBackend, from: string): EngineConfig {
  if (isLocal(backend)) return localEngine(backendId, backend, from);
  if (isCloud(backend)) return cloudEngine(backendId, backend, from);
  if (backend.engine !== "anthropic") return openAiEngine(backendId, backend, from);
  const { defaultMaxTokens } = backend;
  return { kind: "anthropic", ...httpEngine(backendId, backend, from), defaultMaxTokens };
}

function openAiEngine(backendId: string, backend: OpenAiBackend, from: string): OpenAiEngineConfig {
  const kind = engineKind(backend);
  return {
    kind: "openai",
    ...httpEngine(backendId, backend, from),
    speaks: [...new Set(backend.endpoints)],
    ...(kind === "openai" ? {} : { engineKind: kind }),
  };
}

/** Whose own endpoints a backend has; Anthropic's API has none that are read. */
function engineKind({ engine }: OpenAiBackend | AnthropicBackend): EngineKind | "auto" {
  return engine === undefined || engine === "anthropic" ? "openai" : engine;
}

/** What every engine that is reached by HTTP has. */
function httpEngine(
  backendId: string,
  backend: OpenAiBackend | AnthropicBackend,
  from: string,
): Omit<AnthropicEngineConfig, "kind" | "defaultMaxTokens"> {
  return {
    backendId,
    url: (backend.url ?? "").replace(/\/+$/, ""),
    key: backend.key === undefined ? null : secretSource(backend.key, from),
    headers: lowerCased(backend.headers),
    onLoss: backend.onLoss,
    discoverModels: backend.models === undefined || hasFamily(backend.models),
    modelsAreOptional: backend.models !== undefined,
  };
}

function resolveClasses(written: ParsedConfig["classes"]): Record<string, ClassConfig> {
  const names = [...new Set([...BUILT_IN_CLASSES, ...Object.keys(written)])];
  return Object.fromEntries(
    names.map((name) => {
      const given = Object.hasOwn(written, name) ? written[name] : undefined;
      return [name, { ttftMs: given?.ttftMs ?? null, tpotMs: given?.tpotMs ?? null, e2eMs: given?.e2eMs ?? null }];
    }),
  );
}

function resolveTenant(id: string, tenant: ParsedConfig["tenants"][string], from: string): TenantConfig {
  const keys = tenant.keys.map((key): KeyConfig => ({
    name: key.name,
    admin: key.admin,
    source: key.sha256 === undefined ? secretSource(key, from) : { sha256: key.sha256.toLowerCase() },
  }));
  return { id, keys };
}

function resolveRuns({ runs, tenants }: ParsedConfig): KernelConfig["runs"] {
  const own = Object.entries(tenants).flatMap(([id, tenant]) =>
    tenant.runs === undefined ? [] : [[id, resolveRules(runs, tenant.runs)] as const],
  );
  return {
    defaults: resolveRules(runs, {}),
    tenants: Object.fromEntries(own),
    maxKept: runs.maxKept,
    idleMs: runs.idleMs,
  };
}

type OwnRuns = NonNullable<ParsedConfig["tenants"][string]["runs"]> | Record<string, never>;

/** What a tenant has of its own stands in place of what is said for all, key by key. */
function resolveRules(all: ParsedConfig["runs"], own: OwnRuns): RunRules {
  const maxSeconds = own.maxSeconds ?? all.maxSeconds;
  const maxSameCalls = own.maxSameCalls ?? all.maxSameCalls;
  return {
    limits: {
      maxSteps: own.maxSteps ?? all.maxSteps ?? null,
      maxTokens: own.maxTokens ?? all.maxTokens ?? null,
      maxCostNanoUsd: own.maxUsd ?? all.maxUsd ?? null,
      maxEnergyMilliJoules: own.maxJoules ?? all.maxJoules ?? null,
      maxWallMs: maxSeconds === undefined ? null : maxSeconds * 1000,
      maxSameCalls: maxSameCalls === 0 ? null : maxSameCalls,
    },
    maxOutputTokens: own.maxOutputTokens ?? all.maxOutputTokens,
    unknown: own.unknown ?? all.unknown,
  };
}
