import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { BackendId } from "../base/ids.ts";
import { LlamaEngine } from "../engines/embedded-engine.ts";
import { TINY_MODEL_NAME, writeTinyModel } from "../engines/embedded/tiny-model.ts";
import { OpenAiEngine } from "../engines/openai.ts";
import { hashKey, type KeyHolder, type KeyRing } from "../gateway/access.ts";
import { Gateway } from "../gateway/server.ts";
import { systemClock } from "../live/clock.ts";
import { JournalFile } from "../live/journal-file.ts";
import { Mint } from "../live/mint.ts";
import { SqliteStore } from "../live/sqlite-store.ts";
import { lazyTokenCounter } from "../live/token-counter.ts";
import { Utility } from "../live/utility.ts";
import type { Desk } from "../ports/desk.ts";
import type { Engine, EngineReport } from "../ports/engine.ts";
import { refuseBind } from "./config/bind.ts";
import { readSecret } from "./config/secrets.ts";
import type { AppConfig, EmbeddedEngineConfig, OpenAiEngineConfig } from "./config/types.ts";
import { Prober } from "./prober.ts";
import { readTls } from "./tls.ts";
import { missingEmbeddedEngine, VERSION } from "./version.ts";

// What is cut off at the end of shutdownMs still gets its error event.
const LAST_BYTES_MS = 500;

/** What a running Baseload is started with besides its configuration. */
export interface ServeOptions {
  readonly dataDir: string;
  /** File to record the journal in, or null. */
  readonly journal: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One line for the operator. */
  readonly log: (line: string) => void;
}

/** A running Baseload. */
export interface Running {
  readonly url: string;
  /** Resolves when every embedded model is loaded; rejects in words when one cannot be. */
  readonly ready: Promise<void>;
  /** The embedded engines' child processes. */
  childPids(): readonly number[];
  /** Ends open requests within the configured time, commits, closes. Resolves to the number of receipts that were lost. */
  stop(): Promise<number>;
}

/** The composition root: joins the kernel, the doors and the configuration. Rejects in words when it cannot serve. */
export async function compose(config: AppConfig, options: ServeOptions): Promise<Running> {
  const refusal = refuseBind(config.server.host, config.tenants);
  if (refusal !== null) throw new Error(refusal);
  const keys = keyRing(config, options);
  const tls = config.server.tls === null ? null : readTls(config.server.tls, (path) => readFileSync(path, "utf8"));
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  const engines = new Map<BackendId, Engine>();
  const starts: (() => Promise<void>)[] = [];
  const llamas: LlamaEngine[] = [];
  const { log } = options;
  const journal =
    options.journal === null
      ? null
      : new JournalFile(options.journal, (error) => log(`the journal ended: ${error.message}`));
  const utility = new Utility({ clock: systemClock, engines, journal, countTokens: lazyTokenCounter(), log });
  const observe = (backendId: BackendId, report: EngineReport): void =>
    utility.feed({ kind: "observed", backendId, ...report });
  for (const engine of config.engines) {
    if (engine.kind === "openai") {
      engines.set(engine.backendId, openAiEngine(config, engine, options));
    } else {
      const llama = llamaEngine(config, engine, {
        ...options,
        onReport: (report) => observe(engine.backendId, report),
      });
      engines.set(engine.backendId, llama);
      llamas.push(llama);
      starts.push(() => startLlama(llama, engine, log));
    }
  }
  const store = await openStore(options.dataDir, utility);
  utility.start(config.kernel, { store, seed: randomUUID() });
  // A model takes a while to load; requests that come before wait in the queue.
  for (const engine of config.engines) {
    if (engine.kind === "embedded") observe(engine.backendId, { state: "starting", models: null, contextTokens: null });
  }
  const gateway = new Gateway(deskOf(utility), { ...config.server, tls, keys, version: VERSION, log });
  const port = await listen(gateway, config.server, () => utility.close());
  const prober = new Prober(config, { engines, observe });
  prober.start();
  const ready = Promise.all(starts.map((start) => start())).then(() => undefined);
  // Whoever holds the promise is told; a rejection nobody waits for must not end the process.
  ready.catch(() => {});
  return {
    url: `${tls === null ? "http" : "https"}://${hostForUrl(config.server.host)}:${port}`,
    ready,
    childPids: () => llamas.flatMap((llama) => llama.pid ?? []),
    stop: async () => {
      const endMs = performance.now() + config.server.shutdownMs;
      prober.stop();
      gateway.stopListening();
      await utility.drain(config.server.shutdownMs);
      const lost = await utility.close();
      // A slow reader's answer may be complete here and not yet there.
      await gateway.finish(Math.max(endMs - performance.now(), LAST_BYTES_MS));
      await Promise.all([...engines.values()].map((engine) => engine.close()));
      return lost;
    },
  };
}

function hostForUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

async function listen(gateway: Gateway, server: AppConfig["server"], undo: () => Promise<unknown>): Promise<number> {
  try {
    return await gateway.listen(server.host, server.port);
  } catch (error) {
    await undo();
    const { code } = error as NodeJS.ErrnoException;
    const where = `${server.host}:${server.port}`;
    if (code === "EADDRINUSE")
      throw new Error(`${where} is in use; stop what listens there, or choose another with --port`, { cause: error });
    if (code === "EACCES")
      throw new Error(`${where} may not be opened by this user; choose a port above 1023 with --port`, {
        cause: error,
      });
    throw new Error(`cannot listen on ${where}: ${(error as Error).message}`, { cause: error });
  }
}

async function openStore(dataDir: string, utility: Utility): Promise<SqliteStore> {
  const path = join(dataDir, "baseload.sqlite");
  try {
    return await SqliteStore.open(path, utility);
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    const locked = /locked|in use by/.test(words);
    throw new Error(
      locked ? `another Baseload uses ${dataDir}; stop it, or give this one its own --data-dir` : `${path}: ${words}`,
      { cause: error },
    );
  }
}

function keyRing(config: AppConfig, { env }: ServeOptions): KeyRing {
  const keys = new Map<string, KeyHolder>();
  for (const tenant of config.tenants) {
    for (const { name, source } of tenant.keys) {
      const digest = "sha256" in source ? source.sha256.toLowerCase() : hashKey(readSecret(source, doors(env)));
      const other = keys.get(digest);
      if (other !== undefined)
        throw new Error(
          `the keys ${other.key} of ${other.tenant} and ${name} of ${tenant.id} are the same; a key has one holder`,
        );
      keys.set(digest, { tenant: tenant.id, key: name });
    }
  }
  return keys;
}

function doors(env: ServeOptions["env"]): Parameters<typeof readSecret>[1] {
  return { env, readFile: (path) => readFileSync(path, "utf8") };
}

function openAiEngine(config: AppConfig, engine: OpenAiEngineConfig, options: ServeOptions): OpenAiEngine {
  return new OpenAiEngine({
    url: engine.url,
    socketPath: null,
    key: engine.key === null ? null : readSecret(engine.key, doors(options.env)),
    headers: engine.headers,
    maxAnswerBytes: config.server.maxAnswerBytes,
    discoverModels: engine.discoverModels,
  });
}

function llamaEngine(
  config: AppConfig,
  engine: EmbeddedEngineConfig,
  options: ServeOptions & { readonly onReport: (report: EngineReport) => void },
): LlamaEngine {
  const missing = missingEmbeddedEngine();
  if (missing !== null) throw new Error(`backend ${engine.backendId}: ${missing}`);
  const modelPath = engine.modelPath ?? join(options.dataDir, "baseload-tiny.gguf");
  if (engine.modelPath !== null && !existsSync(modelPath)) {
    throw new Error(
      `backend ${engine.backendId}: there is no file ${modelPath}; correct \`model\`, or leave it out for the tiny model`,
    );
  }
  return new LlamaEngine({
    modelPath,
    socketDir: join(options.dataDir, "run"),
    sequences: engine.sequences,
    ...(engine.contextTokens === null ? {} : { contextTokens: engine.contextTokens }),
    ...(engine.threads === null ? {} : { threads: engine.threads }),
    maxAnswerBytes: config.server.maxAnswerBytes,
    onReport: (report, reason) => {
      if (report.state !== "up") options.log(`backend ${engine.backendId}: ${report.state}: ${reason}`);
      options.onReport(report);
    },
    onLog: (line) => options.log(`backend ${engine.backendId}: ${line}`),
  });
}

async function startLlama(
  llama: LlamaEngine,
  engine: EmbeddedEngineConfig,
  log: (line: string) => void,
): Promise<void> {
  const started = performance.now();
  const info = await llama.start();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const name = engine.modelPath === null ? TINY_MODEL_NAME : info.modelName;
  log(
    `backend ${engine.backendId}: ${name} is loaded as "${engine.modelName}" in ${seconds} s, ${info.sequences} requests at once, ${info.contextTokens} tokens of context`,
  );
}

/** Writes the tiny model where the configuration uses it and it is not there yet. */
export function provideTinyModel(config: AppConfig, dataDir: string): void {
  const path = join(dataDir, "baseload-tiny.gguf");
  const needed = config.engines.some((engine) => engine.kind === "embedded" && engine.modelPath === null);
  if (!needed || existsSync(path)) return;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  writeTinyModel(path);
}

function deskOf(utility: Utility): Desk {
  const mint = new Mint();
  return {
    arrive: (exchange) => utility.arrive(exchange),
    models: () => utility.kernel.models(),
    backends: () => utility.kernel.backends(),
    receipt: (receiptId, tenant) => utility.receipt(receiptId, tenant),
    mint: (wallMs) => mint.requestId(wallMs),
    get storeTrouble() {
      return utility.storeTrouble;
    },
    get stopping() {
      return utility.stopping;
    },
  };
}
