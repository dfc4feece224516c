import type { EngineKind, EngineObservation } from "../../base/engine-observation.ts";
import { jsonOf } from "../../wire/reading.ts";
import type { ProbeAnswer } from "../http-engine.ts";
import { member, text } from "./json.ts";
import { Scrape } from "./scrape.ts";

/** An endpoint that a kind is asked at. */
export interface Endpoint {
  readonly path: string;
  /** `base` is the configured URL, usually ending in /v1; `root` is the server it stands on. */
  readonly from: "base" | "root";
  /** Whether it is asked after the others, by what they answered; absent is with them. */
  readonly onlyIf?: (answers: Answers) => boolean;
}

/** The OpenAI-compatible list of models, which every kind has. */
export const MODELS: Endpoint = { path: "/models", from: "base" };

/** A path of the server. */
export function root(path: string, onlyIf?: Endpoint["onlyIf"]): Endpoint {
  return { path, from: "root", ...(onlyIf === undefined ? {} : { onlyIf }) };
}

/**
 * How one kind of engine describes itself. Pure: from what its endpoints answered to the one observation. An endpoint that
 * failed is absent, and only what it would have said is unknown.
 */
export interface KindReader {
  readonly kind: EngineKind;
  readonly endpoints: readonly Endpoint[];
  /** Whether these answers are of this kind, by what no other kind says. */
  matches(answers: Answers): boolean;
  read(answers: Answers): EngineObservation;
  /** Whether the engine says that it is still loading. */
  starting?(answers: Answers): boolean;
}

/** What the endpoints answered, by path. Owned by one probe. */
export class Answers {
  readonly #answers: ReadonlyMap<string, ProbeAnswer>;
  readonly #scrapes = new Map<string, Scrape>();

  constructor(answers: ReadonlyMap<string, ProbeAnswer>) {
    this.#answers = answers;
  }

  /** The body of an answer with status 200, or null. */
  body(path: string): string | null {
    const answer = this.#answers.get(path);
    return answer?.status === 200 ? answer.body : null;
  }

  /** The answer with any status, or null when there was none. */
  any(path: string): ProbeAnswer | null {
    return this.#answers.get(path) ?? null;
  }

  /** The JSON of an answer with status 200, or undefined. */
  json(path: string): unknown {
    const body = this.body(path);
    return body === null ? undefined : jsonOf(body);
  }

  /** The version in `{"version": "…"}` at this path, or null. */
  version(path: string): string | null {
    return text(member(this.json(path), "version"));
  }

  scrape(path: string): Scrape {
    const known = this.#scrapes.get(path);
    if (known !== undefined) return known;
    const scrape = Scrape.of(this.body(path));
    this.#scrapes.set(path, scrape);
    return scrape;
  }
}
