import { basename, dirname, resolve } from "node:path";
import type { BackendConfig, ClassConfig, Price, SiteConfig } from "../../kernel/config.ts";
import { present } from "../../base/assert.ts";
import { servedBy } from "../../wire/shapes.ts";
import { addressed } from "./addresses.ts";
import { BUILT_IN_CLASSES, DEFAULT_SITE, siteNames } from "./checks.ts";
import type { ParsedBackend, ParsedConfig } from "./schema.ts";
import type {
  AppConfig,
  DiscoveredConfig,
  DiscoverySource,
  EngineConfig,
  KeyConfig,
  OpenAiEngineConfig,
  SecretSource,
  TenantConfig,
  TlsConfig,
} from "./types.ts";

type EmbeddedBackend = Extract<ParsedBackend, { engine: "embedded" }>;
type OpenAiBackend = Exclude<ParsedBackend, EmbeddedBackend>;

/** Name of the model that the embedded engine has without a file. */
const TINY_MODEL = "baseload-tiny";

/** Makes the configuration that the program runs on. `file` is the path that relative paths in it start from. */
export function resolveConfig(parsed: ParsedConfig, file: string): AppConfig {
  const { server, storage } = parsed;
  const from = dirname(resolve(file));
  const all = Object.entries(parsed.backends);
  const backends = all.filter(([, backend]) => backend.engine === "embedded" || backend.discover === undefined);
  return {
    kernel: {
      version: 1,
      sites: resolveSites(parsed.sites),
      backends: backends.map(([id, backend]) => resolveBackend(id, backend, siteNames(parsed.sites))),
      classes: resolveClasses(parsed.classes),
      limits: {
        maxQueued: server.maxQueued,
        queueTimeoutMs: server.queueTimeoutMs,
        maxAttempts: server.maxAttempts,
        maxUnsettled: storage.maxUnsettled,
      },
      cooldown: { firstMs: server.cooldownFirstMs, maxMs: server.cooldownMaxMs },
    },
    storage: {
      maxFileBytes: storage.maxFileBytes,
      maxFilesBytes: storage.maxFilesBytes,
      batchConcurrency: storage.batchConcurrency,
      maxBatchRequests: storage.maxBatchRequests,
      batchResultDays: storage.batchResultDays,
    },
    server: {
      host: server.host,
      port: server.port,
      tls: server.tls === undefined ? null : resolveTls(server.tls, from),
      maxBodyBytes: server.maxBodyBytes,
      maxAnswerBytes: server.maxAnswerBytes,
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
  const sequences = backend.engine === "embedded" ? backend.sequences : null;
  return {
    id,
    site: present(backend.site ?? sites[0], "a site always exists"),
    ...(backend.engine === "embedded"
      ? { models: { [embeddedName(backend)]: embeddedName(backend) } }
      : addressed(backend.engine ?? "openai", backend.models)),
    endpoints: servedBy(backend.endpoints),
    maxConcurrent: backend.maxConcurrent ?? sequences,
    contextTokens: backend.contextTokens ?? null,
    watts: backend.watts ?? null,
    price: backend.price === undefined ? null : resolvePrice(backend.price),
    drainMs: backend.onDisconnect === "drain" ? backend.drainMs : null,
    watch: backend.watch,
  };
}

function resolveDiscovered(
  name: string,
  backend: ParsedBackend,
  of: { readonly from: string; readonly sites: readonly string[] },
): DiscoveredConfig[] {
  if (backend.engine === "embedded" || backend.discover === undefined) return [];
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
    outputNanoUsdPerMillion: price.outputUsdPerMillion,
    reasoningNanoUsdPerMillion: price.reasoningUsdPerMillion ?? null,
  };
}

function resolveEngine(backendId: string, backend: ParsedBackend, from: string): EngineConfig {
  if (backend.engine === "embedded") {
    return {
      kind: "embedded",
      onLoss: backend.onLoss,
      backendId,
      modelPath: backend.model === undefined ? null : resolve(from, backend.model),
      modelName: embeddedName(backend),
      sequences: backend.sequences,
      contextTokens: backend.contextTokens ?? null,
      threads: backend.threads ?? null,
    };
  }
  return openAiEngine(backendId, backend, from);
}

function openAiEngine(backendId: string, backend: OpenAiBackend, from: string): OpenAiEngineConfig {
  return {
    kind: "openai",
    backendId,
    url: (backend.url ?? "").replace(/\/+$/, ""),
    key: backend.key === undefined ? null : secretSource(backend.key, from),
    headers: Object.fromEntries(
      Object.entries(backend.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
    ),
    discoverModels: backend.models === undefined,
    speaks: [...new Set(backend.endpoints)],
    onLoss: backend.onLoss,
    ...(backend.engine === undefined || backend.engine === "openai" ? {} : { engineKind: backend.engine }),
  };
}

function embeddedName(backend: EmbeddedBackend): string {
  if (backend.name !== undefined) return backend.name;
  // A path written on Windows may be read elsewhere and the reverse, so both separators count.
  return backend.model === undefined
    ? TINY_MODEL
    : basename(backend.model.replaceAll("\\", "/")).replace(/(.)\.gguf$/i, "$1");
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

function secretSource(
  source: { readonly env?: string | undefined; readonly file?: string | undefined },
  from: string,
): SecretSource {
  if (source.env !== undefined) return { env: source.env };
  return { file: resolve(from, present(source.file, "the schema lets a source have exactly one of env and file")) };
}
