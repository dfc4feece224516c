import type { BackendId, RequestId } from "../../base/ids.ts";
import type { Job } from "../../base/job.ts";
import type { Command, Send } from "../../kernel/command.ts";
import type { BackendConfig, KernelConfig } from "../../kernel/config.ts";
import type { Observed } from "../../kernel/event.ts";
import type { Checker, Moment, Runs, Seen } from "./runs.ts";
import { holds } from "./violation.ts";

interface Observation {
  starting: boolean;
  models: readonly string[] | null;
  contextTokens: number | null;
}

/** The fleet as the events tell it: what is configured, granted and observed. */
export class FleetFacts {
  config: KernelConfig | null = null;
  readonly backends = new Map<BackendId, BackendConfig>();
  readonly granted = new Map<string, number>();
  readonly observed = new Map<BackendId, Observation>();
  readonly cordoned = new Set<BackendId>();
  /** Those that may be cordoned for all that is known: also such as went away so, and came back. */
  readonly #perhapsCordoned = new Set<BackendId>();

  takeEvent({ event }: Moment): void {
    if (event.kind === "configured") {
      this.config = event.config;
      this.backends.clear();
      for (const backend of event.config.backends) this.backends.set(backend.id, backend);
      // One that went away and came back may be a new one, or the old one if it still had requests.
      for (const backendId of this.cordoned) if (!this.backends.has(backendId)) this.cordoned.delete(backendId);
      for (const [backendId, seen] of this.observed) seen.starting &&= this.backends.has(backendId);
    } else if (event.kind === "leased") this.granted.set(event.resource, event.amount);
    else if (event.kind === "observed") this.#observe(event);
    else if (event.kind === "cordoned") {
      if (event.cordoned && this.backends.has(event.backendId)) this.cordoned.add(event.backendId);
      else this.cordoned.delete(event.backendId);
      if (event.cordoned) this.#perhapsCordoned.add(event.backendId);
      else this.#perhapsCordoned.delete(event.backendId);
    }
  }

  /** A new process knows nothing. */
  forget(): void {
    this.backends.clear();
    this.granted.clear();
    this.observed.clear();
    this.cordoned.clear();
    this.#perhapsCordoned.clear();
  }

  #observe(event: Observed): void {
    const before = this.observed.get(event.backendId);
    this.observed.set(event.backendId, {
      // Of a backend that is not configured nothing is remembered but, at most, its names.
      starting: event.state === "starting" && this.backends.has(event.backendId),
      models: event.models ?? before?.models ?? null,
      contextTokens: event.contextTokens ?? before?.contextTokens ?? null,
    });
  }

  /**
   * The upstream's names under which the backend may be sent this request. There are several only for an alias of several models
   * while it is not certain which of them comes first: what a backend that is asked for its names has, only the kernel knows.
   */
  servedAs(backend: BackendConfig, request: Pick<Seen, "job" | "tried">): readonly string[] {
    return this.#modelsOf(request).flatMap((model) => this.#nameAt(backend, request.job, model) ?? []);
  }

  /** Whether the request can only come to a model that this backend has. */
  mustServe(backend: BackendConfig, request: Pick<Seen, "job" | "tried">): boolean {
    const [model, ...others] = this.#modelsOf(request);
    return model !== undefined && others.length === 0 && this.#nameAt(backend, request.job, model) !== null;
  }

  /** What a name may come to: of an alias, the models up to the first that is certain to be served where the request was not yet. */
  #modelsOf({ job, tried }: Pick<Seen, "job" | "tried">): readonly string[] {
    const models = this.config?.aliases[job.model];
    if (models === undefined) return [job.model];
    const isCertain = (model: string): boolean =>
      [...this.backends.values()].some((backend) => {
        const isOpen = !tried.includes(backend.id) && !this.#perhapsCordoned.has(backend.id) && backend.models !== null;
        return isOpen && isRoomy(backend, job) && this.#nameAt(backend, job, model) !== null;
      });
    const first = models.findIndex(isCertain);
    return first === -1 ? models : models.slice(0, first + 1);
  }

  #nameAt(backend: BackendConfig, job: Job, model: string): string | null {
    if (!backend.endpoints.includes(job.endpoint)) return null;
    const observed = this.observed.get(backend.id);
    if (backend.models === null) return observed?.models?.includes(model) === true ? model : null;
    const exact = backend.models[model];
    if (exact !== undefined) return exact;
    let name: string | null = null;
    let longest = -1;
    for (const [family, upstream] of Object.entries(backend.models)) {
      const begin = family.endsWith("*") ? family.slice(0, -1) : null;
      if (begin === null || !model.startsWith(begin) || model === begin || begin.length <= longest) continue;
      longest = begin.length;
      name = upstream.split("*").join(model.slice(begin.length));
    }
    return name;
  }
}

function isRoomy({ contextTokens }: BackendConfig, { promptTextLength }: Job): boolean {
  return contextTokens === null || promptTextLength <= contextTokens * 16;
}

/** Counts by itself what each backend holds, and looks at each send's target. */
export class LimitChecker implements Checker {
  readonly #runs: Runs;
  readonly #facts: FleetFacts;
  readonly #held = new Map<BackendId, number>();
  /** Attempts allowed to requests of which one has failed. */
  readonly #allowed = new Map<RequestId, number>();

  constructor(runs: Runs, facts: FleetFacts) {
    this.#runs = runs;
    this.#facts = facts;
  }

  onEvent({ ended, event }: Moment): void {
    if (ended === null) return;
    this.#add(ended.backendId, -1);
    // Whether another attempt is allowed is decided when one fails, by the limits of that moment.
    if (event.kind === "failed") this.#allowed.set(ended.requestId, this.#facts.config?.limits.maxAttempts ?? 0);
  }

  onCommand(_at: Moment, command: Command): void {
    if (command.kind === "append") this.#allowed.delete(command.requestId);
    if (command.kind !== "send") return;
    this.#checkTarget(command);
    const held = this.#add(command.backendId, 1);
    const limit = this.#facts.backends.get(command.backendId)?.maxConcurrent ?? null;
    if (limit === null) return;
    const granted = this.#facts.granted.get(`backend/${command.backendId}/concurrency`) ?? 0;
    const text = (): string => `${command.backendId} holds ${held}, configured ${limit}, leased ${granted}`;
    holds(held <= Math.min(limit, granted), "backend-limit", text);
  }

  onCrash(): void {
    this.#held.clear();
    this.#allowed.clear();
  }

  onEnd(): void {
    for (const [backendId, held] of this.#held) {
      holds(held === 0, "backend-limit", () => `${backendId} still holds ${held} when nothing is open`);
    }
  }

  #add(backendId: BackendId, change: number): number {
    const held = (this.#held.get(backendId) ?? 0) + change;
    this.#held.set(backendId, held);
    return held;
  }

  #checkTarget({ requestId, attempt, backendId, upstreamModel, watch }: Send): void {
    const backend = this.#facts.backends.get(backendId);
    const seen = this.#runs.open.get(requestId);
    holds(backend !== undefined, "send-eligible", () => `${backendId} is not configured`);
    if (seen === undefined) return;
    const { job } = seen;
    const names = this.#facts.servedAs(backend, seen);
    holds(
      names.includes(upstreamModel),
      "send-eligible",
      () => `${backendId} has ${job.model} as ${names.join(" or ")}, not ${upstreamModel}`,
    );
    const starting = this.#facts.observed.get(backendId)?.starting ?? false;
    holds(!starting, "send-eligible", () => `${backendId} is starting`);
    holds(!this.#facts.cordoned.has(backendId), "send-eligible", () => `${backendId} is cordoned`);
    const most = this.#allowed.get(requestId) ?? 1;
    holds(attempt <= most, "send-eligible", () => `attempt ${attempt} of at most ${most}`);
    const expected = job.stream ? backend.watch.firstMs : backend.watch.totalMs;
    const isGiven = watch.firstMs === expected && watch.totalMs === backend.watch.totalMs;
    holds(isGiven, "send-eligible", () => `${requestId} is watched by other numbers than ${backendId}'s`);
    holds(isRoomy(backend, job), "send-eligible", () => `a text of ${job.promptTextLength} cannot fit ${backendId}`);
  }
}
