import type { BackendId } from "../base/ids.ts";
import type { Engine, EngineReport } from "../ports/engine.ts";
import type { AppConfig } from "./config/types.ts";

// A backend that was down is asked this often, so that it is found soon after it comes back.
const DOWN_INTERVAL_MS = 2000;

/** Asks the backends whose models are discovered how they are, in turn, and feeds what it sees. Owns its timers. */
export class Prober {
  readonly #intervalMs: number;
  readonly #ids: readonly BackendId[];
  readonly #engines: ReadonlyMap<BackendId, Engine>;
  readonly #observe: (backendId: BackendId, report: EngineReport) => void;
  readonly #timers = new Map<BackendId, NodeJS.Timeout>();
  #stopped = false;

  constructor(
    config: AppConfig,
    parts: {
      readonly engines: ReadonlyMap<BackendId, Engine>;
      readonly observe: (backendId: BackendId, report: EngineReport) => void;
    },
  ) {
    this.#intervalMs = config.telemetry.probeIntervalMs;
    this.#ids = config.engines.flatMap((engine) =>
      engine.kind === "openai" && engine.discoverModels ? [engine.backendId] : [],
    );
    this.#engines = parts.engines;
    this.#observe = parts.observe;
  }

  start(): void {
    for (const id of this.#ids) void this.#probe(id);
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  async #probe(id: BackendId): Promise<void> {
    const engine = this.#engines.get(id);
    if (engine === undefined) return;
    const report = await engine.probe();
    if (this.#stopped) return;
    this.#observe(id, report);
    const waitMs = report.state === "up" ? this.#intervalMs : Math.min(DOWN_INTERVAL_MS, this.#intervalMs);
    this.#timers.set(
      id,
      setTimeout(() => void this.#probe(id), waitMs),
    );
  }
}
