import { type EngineKind, unknownObservation } from "../base/engine-observation.ts";
import type { EngineReport } from "../ports/engine.ts";
import { PROBE_TIMEOUT_MS, type ProbeAnswer } from "./http-engine.ts";
import { member, text } from "./kinds/json.ts";
import { detect, detectionEndpoints, readerOf } from "./kinds/kinds.ts";
import { entriesOf, modelsByName } from "./kinds/model-lists.ts";
import { Answers, type Endpoint, type KindReader, MODELS } from "./kinds/reader.ts";

/** A server as a probe asks it. */
export interface ProbeTarget {
  /** Asks at a path of the server, bounded in bytes; null when nothing came in time. Never rejects. */
  readonly ask: (path: string, signal: AbortSignal) => Promise<ProbeAnswer | null>;
  /** Path of the configured base URL, without a trailing slash. */
  readonly basePath: string;
  /** Whether the report names the models. */
  readonly discoverModels: boolean;
}

/**
 * Asks a server of a known kind for all that it says of itself, at once and within bounded time and bytes; an endpoint that does
 * not answer leaves the others' words. With `auto` the first probe asks at every kind's endpoints, and what is found holds until
 * the server is down. Owned by its engine.
 */
export class EngineProbe {
  readonly #target: ProbeTarget;
  readonly #isAuto: boolean;
  #reader: KindReader | null;
  #isDetected: boolean;

  constructor(kind: EngineKind | "auto", target: ProbeTarget) {
    this.#target = target;
    this.#isAuto = kind === "auto";
    this.#reader = kind === "auto" ? null : readerOf(kind);
    this.#isDetected = kind !== "auto";
  }

  /** Never rejects. Up is a server that lists its models; the other endpoints only say more. */
  async report(): Promise<EngineReport> {
    const endpoints = this.#isDetected ? (this.#reader?.endpoints ?? [MODELS]) : detectionEndpoints();
    const answers = await this.#ask(endpoints);
    if (!this.#isDetected && entriesOf(answers) !== null) {
      this.#reader = detect(answers);
      this.#isDetected = true;
    }
    if (this.#reader?.starting?.(answers) === true) return { state: "starting", models: null, contextTokens: null };
    if (entriesOf(answers) === null) {
      // Another server may come up in its place.
      this.#isDetected = !this.#isAuto;
      return { state: "down", models: null, contextTokens: null };
    }
    const observation = this.#reader?.read(answers) ?? {
      ...unknownObservation("openai"),
      models: modelsByName(answers),
    };
    return {
      state: "up",
      models: this.#target.discoverModels ? namesOf(answers) : null,
      contextTokens: observation.contextTokens,
      observation,
    };
  }

  async #ask(endpoints: readonly Endpoint[]): Promise<Answers> {
    const { ask, basePath } = this.#target;
    const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
    const answers = new Map<string, ProbeAnswer>();
    const askAll = async (wanted: readonly Endpoint[]): Promise<void> => {
      await Promise.all(
        wanted.map(async ({ path, from }) => {
          const answer = await ask((from === "base" ? basePath : basePath.replace(/\/v1$/, "")) + path, signal);
          if (answer !== null) answers.set(path, answer);
        }),
      );
    };
    await askAll(endpoints.filter(({ onlyIf }) => onlyIf === undefined));
    const first = new Answers(answers);
    await askAll(endpoints.filter(({ onlyIf }) => onlyIf?.(first) === true));
    return new Answers(answers);
  }
}

/** Every name in the list, adapters and aliases too: each can be asked for. */
function namesOf(answers: Answers): readonly string[] {
  return (entriesOf(answers) ?? []).flatMap((entry) => text(member(entry, "id")) ?? []);
}
