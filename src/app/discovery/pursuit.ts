import type { DiscoveredConfig } from "../config/types.ts";
import { FileWatch } from "../file-watch.ts";
import type { Target } from "./targets.ts";

/** What a pursuit works with. */
export interface PursuitParts {
  readonly config: DiscoveredConfig;
  readonly log: (line: string) => void;
  /** The members are others than before. */
  readonly changed: () => void;
  /** The members as they are found now; rejects in words. */
  readonly look: () => Promise<readonly Target[]>;
}

/**
 * Follows the members of one discovered backend. The last that were found are kept while none are found or the question
 * fails, for as long as the configuration says: a name server that is down must not take the fleet down with it. Owns its timers.
 */
export class Pursuit {
  readonly config: DiscoveredConfig;
  readonly #parts: PursuitParts;
  #members: readonly Target[] = [];
  #trouble: string | null = null;
  /** When the last good answer came; its members are kept from then on. */
  #goodMs = performance.now();
  #timer: NodeJS.Timeout | null = null;
  #watch: FileWatch | null = null;
  #stopped = false;

  constructor(parts: PursuitParts) {
    this.#parts = parts;
    this.config = parts.config;
  }

  get members(): readonly Target[] {
    return this.#members;
  }

  /** Goes on from a first look, of which nobody needs to be told again. */
  start(first: readonly Target[] | Error): void {
    this.#take(first);
    const { source } = this.config;
    if (source.kind === "file") {
      const again = (): void => void this.#again();
      this.#watch = new FileWatch(source.file, null, { changed: again, trouble: again });
      this.#watch.start();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#watch?.stop();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #again(): Promise<void> {
    const before = this.#members;
    let found: readonly Target[] | Error;
    try {
      found = await this.#parts.look();
    } catch (error) {
      found = error instanceof Error ? error : new Error(String(error));
    }
    if (this.#stopped) return;
    this.#take(found);
    const now = this.#members;
    if (now.join() === before.join()) return;
    const { name } = this.config;
    const joined = now.filter((target) => !before.includes(target));
    const left = before.filter((target) => !now.includes(target));
    const parts = [["joined", joined] as const, ["left", left] as const].filter(([, targets]) => targets.length > 0);
    this.#parts.log(`backend ${name}: ${parts.map(([what, targets]) => `${targets.join(", ")} ${what}`).join("; ")}`);
    this.#parts.changed();
  }

  #take(found: readonly Target[] | Error): void {
    const nowMs = performance.now();
    if (!(found instanceof Error) && found.length > 0) {
      this.#members = found;
      this.#goodMs = nowMs;
      if (this.#trouble !== null) this.#parts.log(`backend ${this.config.name}: members are found again`);
      this.#trouble = null;
    } else {
      this.#miss(
        found instanceof Error ? `members cannot be looked up: ${found.message}` : "no members are found",
        nowMs,
      );
    }
    this.#wait(nowMs);
  }

  #miss(words: string, nowMs: number): void {
    const { name, keepMs } = this.config;
    const count = this.#members.length;
    if (words !== this.#trouble) {
      const kept = count === 0 ? "" : `; the last ${count} are kept for at most ${keepMs / 1000} s`;
      this.#parts.log(`backend ${name}: ${words}${kept}`);
    }
    this.#trouble = words;
    if (nowMs - this.#goodMs >= keepMs) this.#members = [];
  }

  /** Looks again after a while, and when the last members have been kept long enough. */
  #wait(nowMs: number): void {
    const { everyMs, keepMs } = this.config;
    const keptMs = this.#trouble === null || this.#members.length === 0 ? Infinity : this.#goodMs + keepMs - nowMs;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#again(), Math.max(1, Math.ceil(Math.min(everyMs, keptMs))));
  }
}
