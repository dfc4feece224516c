import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { DiscoveredConfig } from "../config/types.ts";
import type { Members } from "./expand.ts";
import { Pursuit } from "./pursuit.ts";
import type { Resolver } from "./resolver.ts";
import { parseTargets, sorted, type Target, targetOf } from "./targets.ts";

const ANSWER_MS = 10_000;

/** What discovery works with. */
export interface DiscoveryParts {
  readonly resolver: Resolver;
  readonly log: (line: string) => void;
  /** The members of a backend are others than before. */
  readonly changed: () => void;
}

/** The first look at one backend's members: the targets, or why there are none, in words. */
export interface FirstLook {
  readonly config: DiscoveredConfig;
  readonly found: readonly Target[] | Error;
}

/** Follows the members of the discovered backends of the configuration in force. Owns its pursuits, one a backend. */
export class Discovery {
  readonly #parts: DiscoveryParts;
  readonly #pursuits = new Map<string, Pursuit>();

  constructor(parts: DiscoveryParts) {
    this.#parts = parts;
  }

  /** A first look for each backend that is not followed yet, or is looked for elsewhere now. Never rejects. */
  look(configs: readonly DiscoveredConfig[]): Promise<readonly FirstLook[]> {
    const fresh = configs.filter((config) => !this.#isFollowed(config));
    return Promise.all(
      fresh.map(async (config) => {
        const found = await lookUp(config, this.#parts.resolver).catch(asError);
        const kept = this.#kept(config);
        const isGood = !(found instanceof Error) && found.length > 0;
        return { config, found: isGood || kept.length === 0 ? found : kept };
      }),
    );
  }

  /** The members that are followed by other times than are wanted now; a look that fails just then does not lose them. */
  #kept(config: DiscoveredConfig): readonly Target[] {
    const before = this.#pursuits.get(config.name);
    return before !== undefined && isDeepStrictEqual(before.config.source, config.source) ? before.members : [];
  }

  /** The members of these backends: as first looked at, or as followed. */
  members(configs: readonly DiscoveredConfig[], looks: readonly FirstLook[]): Members {
    return new Map(
      configs.map(({ name }) => {
        const first = looks.find(({ config }) => config.name === name)?.found;
        return [
          name,
          first === undefined ? (this.#pursuits.get(name)?.members ?? []) : first instanceof Error ? [] : first,
        ];
      }),
    );
  }

  /** Follows these backends from now on, and no others. */
  follow(configs: readonly DiscoveredConfig[], looks: readonly FirstLook[]): void {
    const names = new Set(configs.map(({ name }) => name));
    for (const [name, pursuit] of this.#pursuits) {
      if (!names.has(name) || looks.some(({ config }) => config.name === name)) {
        pursuit.stop();
        this.#pursuits.delete(name);
      }
    }
    for (const { config, found } of looks) {
      const { resolver, log, changed } = this.#parts;
      const pursuit = new Pursuit({ config, log, changed, look: () => lookUp(config, resolver) });
      this.#pursuits.set(config.name, pursuit);
      pursuit.start(found);
    }
  }

  stop(): void {
    for (const pursuit of this.#pursuits.values()) pursuit.stop();
  }

  #isFollowed(config: DiscoveredConfig): boolean {
    const followed = this.#pursuits.get(config.name)?.config;
    if (followed === undefined) return false;
    const timesAre = followed.keepMs === config.keepMs && followed.everyMs === config.everyMs;
    return timesAre && isDeepStrictEqual(followed.source, config.source);
  }
}

/** The members as they are found now; rejects in words. */
async function lookUp({ source }: DiscoveredConfig, resolver: Resolver): Promise<readonly Target[]> {
  if (source.kind === "file") return parseTargets(readFileSync(source.file, "utf8"));
  const { dns, port } = source;
  if (port === null) {
    const services = await inTime(resolver.services(dns));
    return sorted(services.map((each) => targetOf(each.name, each.port)));
  }
  return sorted((await inTime(resolver.addresses(dns))).map((address) => targetOf(address, port)));
}

/** A resolver of the operating system has its own idea of patience; whoever starts or reloads must not wait for it. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${ANSWER_MS / 1000} s`)), ANSWER_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What was thrown, as an error. */
function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
