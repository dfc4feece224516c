import type { BackendId } from "../base/ids.ts";
import type { Engine, EngineReport } from "../ports/engine.ts";
import type { AppConfig, EngineConfig } from "./config/types.ts";

// A backend that was down is asked this often, so that it is found soon after it comes back.
const DOWN_INTERVAL_MS = 2000;

/** Asks the backends whose models are discovered or whose engine has words of its own, in turn, and feeds what it sees. Owns its timers. */
export class Prober {
  readonly #engines: ReadonlyMap<BackendId, Engine>;
  readonly #observe: (backendId: BackendId, report: EngineReport) => void;
  /** The engines that are asked, with the timer of the next time once there is one. */
  readonly #asked = new Map<BackendId, { readonly engine: Engine; timer: NodeJS.Timeout | null }>();
  #intervalMs = DOWN_INTERVAL_MS;

  constructor(parts: {
    readonly engines: ReadonlyMap<BackendId, Engine>;
    readonly observe: (backendId: BackendId, report: EngineReport) => void;
  }) {
    this.#engines = parts.engines;
    this.#observe = parts.observe;
  }

  /** Asks the backends of this configuration from now on; an engine that was asked before goes on in its turn. */
  configure(config: Pick<AppConfig, "engines" | "telemetry">): void {
    this.#intervalMs = config.telemetry.probeIntervalMs;
    const wanted = new Set(config.engines.flatMap((engine) => (isAsked(engine) ? [engine.backendId] : [])));
    for (const [id, { engine }] of this.#asked) {
      if (!wanted.has(id) || this.#engines.get(id) !== engine) this.#forget(id);
    }
    for (const id of wanted) {
      const engine = this.#engines.get(id);
      if (engine === undefined || this.#asked.has(id)) continue;
      this.#asked.set(id, { engine, timer: null });
      void this.#probe(id, engine);
    }
  }

  stop(): void {
    for (const id of this.#asked.keys()) this.#forget(id);
  }

  #forget(id: BackendId): void {
    clearTimeout(this.#asked.get(id)?.timer ?? undefined);
    this.#asked.delete(id);
  }

  async #probe(id: BackendId, engine: Engine): Promise<void> {
    const report = await engine.probe();
    const asked = this.#asked.get(id);
    if (asked?.engine !== engine) return;
    this.#observe(id, report);
    const waitMs = report.state === "up" ? this.#intervalMs : Math.min(DOWN_INTERVAL_MS, this.#intervalMs);
    asked.timer = setTimeout(() => void this.#probe(id, engine), waitMs);
  }
}

/** Whether a backend is asked for its models, so that none is known before it was asked once. */
export function asksForModels(engine: EngineConfig): boolean {
  return "discoverModels" in engine && engine.discoverModels;
}

function isAsked(engine: EngineConfig): boolean {
  const hasOwnWords = engine.kind === "openai" && (engine.engineKind ?? "openai") !== "openai";
  return hasOwnWords || engine.kind === "llama-server" || asksForModels(engine);
}
