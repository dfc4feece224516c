import type { Figure, Receipt } from "../base/receipt.ts";
import type { RunLimitKind } from "../base/run.ts";
import type { BackendView, EngineView } from "../kernel/view.ts";
import { Distributions, type Labels, type Metric, type Sample, Series } from "./prometheus.ts";

// Bounds of OpenTelemetry's GenAI conventions for server latencies, in seconds.
const TTFT_SECONDS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const TPOT_SECONDS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];
const E2E_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/** How things stand when a scrape comes. */
export interface Standing {
  readonly backends: readonly BackendView[];
  readonly queued: number;
  readonly unsettled: number;
  /** How many runs met a limit, by its kind. */
  readonly runsLimited: Readonly<Partial<Record<RunLimitKind, number>>>;
}

type Where = { readonly backend: string; readonly site: string };

/** Samples by two of their labels. Owned by a `Metrics`. */
class Samples {
  readonly #byFirst = new Map<string, Map<string, Sample>>();

  get(first: string, second: string): Sample | undefined {
    return this.#byFirst.get(first)?.get(second);
  }

  /** Keeps a sample under its labels and returns it. */
  keep(first: string, second: string, sample: Sample): Sample {
    const bySecond = this.#byFirst.get(first) ?? new Map<string, Sample>();
    this.#byFirst.set(first, bySecond.set(second, sample));
    return sample;
  }
}

/** The counters of one backend at one site, so that a receipt finds them by texts that it has already. Owned by a `Metrics`. */
class Place {
  readonly where: Where;
  readonly ended = new Samples();
  readonly tokens = new Samples();
  readonly cost = new Samples();
  readonly energy = new Samples();

  constructor(where: Where) {
    this.where = where;
  }
}

const TOKEN_TYPES = ["input", "cachedInput", "output", "reasoning"] as const satisfies (keyof Receipt["tokens"])[];

/**
 * Prometheus metrics, counted from receipts, so that they agree with what is billed. Labels are backend, site and outcome:
 * never a tenant, key or model that a caller could make up. Owned by the composition root.
 */
export class Metrics {
  readonly #requests = counter("requests", "requests that ended, by outcome and error code");
  readonly #refused = counter("refused", "requests refused before dispatch, by error code");
  readonly #turnedAway = counter("turned_away", "connections ended by a limit, and requests over a proxy's, by limit");
  readonly #attempts = counter("attempts", "sends to a backend, by result");
  readonly #tokens = counter("tokens", "tokens, by type and method");
  readonly #cost = counter("cost_usd", "US dollars where the cost is known, by method");
  readonly #energy = counter("energy_joules", "joules where the energy is known, by method and boundary");
  readonly #carbon = counter("carbon_grams", "grams of CO2-equivalent where known");
  readonly #queue = histogram("queue_seconds", "from arrival to the first send", TTFT_SECONDS);
  readonly #ttft = histogram("time_to_first_token_seconds", "from arrival to a stream's first content", TTFT_SECONDS);
  readonly #tpot = histogram("time_per_output_token_seconds", "per output token after the first", TPOT_SECONDS);
  readonly #e2e = histogram("request_duration_seconds", "from arrival to the end", E2E_SECONDS);
  readonly #inFlight = gauge("backend_in_flight", "requests that a backend holds");
  readonly #up = gauge("backend_up", "1 when a backend is up and not cooling down");
  readonly #engineRunning = gauge(
    "backend_engine_running_requests",
    "requests that a backend's engine says it works on",
  );
  readonly #engineWaiting = gauge(
    "backend_engine_waiting_requests",
    "requests that a backend's engine says wait in it",
  );
  readonly #engineKv = gauge(
    "backend_engine_kv_usage_ratio",
    "part of its KV cache that a backend's engine says is used",
  );
  readonly #engineAge = gauge("backend_engine_observation_age_seconds", "since a backend's engine said so");
  readonly #engineStale = gauge(
    "backend_engine_observation_stale",
    "1 when the engine was asked since and did not answer",
  );
  readonly #queued = gauge("queued_requests", "requests that wait for a backend");
  readonly #runsLimited = counter("runs_limited", "runs that met a limit, by the first that they met");
  readonly #unsettled = gauge("unsettled_receipts", "receipts that are not durable yet");
  readonly #places = new Map<string, Map<string, Place>>();
  readonly #tried = new Samples();

  /** A request ended. */
  record(receipt: Receipt): void {
    const place = this.#placeOf(receipt.backendId ?? "none", receipt.site ?? "none");
    const { where, ended } = place;
    const { outcome, costNanoUsd, energyMilliJoules, carbonMicrograms, time } = receipt;
    const code = receipt.code ?? "none";
    const requests =
      ended.get(outcome, code) ?? ended.keep(outcome, code, this.#requests.child({ ...where, outcome, code }));
    requests.value += 1;
    for (const { backendId, result } of receipt.attempts) {
      const attempts =
        this.#tried.get(backendId, result) ??
        this.#tried.keep(backendId, result, this.#attempts.child({ backend: backendId, result }));
      attempts.value += 1;
    }
    for (const type of TOKEN_TYPES) this.#countTokens(place, type, receipt.tokens[type]);
    if (costNanoUsd.value !== null) this.#addCost(place, costNanoUsd.method, costNanoUsd.value / 1e9);
    if (energyMilliJoules.value !== null) this.#addEnergy(place, energyMilliJoules, energyMilliJoules.value / 1e3);
    if (carbonMicrograms.value !== null) this.#carbon.add(where, carbonMicrograms.value / 1e6);
    observe(this.#queue, where, time.queueUs);
    observe(this.#ttft, where, time.ttftUs);
    observe(this.#tpot, where, time.tpotUs);
    observe(this.#e2e, where, time.e2eUs);
  }

  /** A request was refused before dispatch. */
  refused(code: string): void {
    this.#refused.add({ code });
  }

  /** A connection was ended by a limit. */
  turnedAway(limit: string): void {
    this.#turnedAway.add({ limit });
  }

  /** The metrics in Prometheus' text format. */
  text(standing: Standing): string {
    for (const each of this.#ofBackends()) each.clear();
    for (const { backendId, inFlight, state, engine } of standing.backends) {
      this.#inFlight.set({ backend: backendId }, inFlight);
      this.#up.set({ backend: backendId }, state === "up" ? 1 : 0);
      if (engine !== null) this.#setEngine({ backend: backendId }, engine);
    }
    this.#queued.set({}, standing.queued);
    this.#unsettled.set({}, standing.unsettled);
    for (const [limit, runs] of Object.entries(standing.runsLimited)) this.#runsLimited.set({ limit }, runs);
    return this.#all()
      .map((metric) => metric.text())
      .join("");
  }

  #all(): readonly Metric[] {
    const counters = [
      this.#requests,
      this.#refused,
      this.#turnedAway,
      this.#attempts,
      this.#tokens,
      this.#cost,
      this.#energy,
      this.#carbon,
      this.#runsLimited,
    ];
    const gauges = [...this.#ofBackends(), this.#queued, this.#unsettled];
    return [...counters, this.#queue, this.#ttft, this.#tpot, this.#e2e, ...gauges];
  }

  /** The gauges whose backends come and go. */
  #ofBackends(): readonly Series[] {
    const engine = [this.#engineRunning, this.#engineWaiting, this.#engineKv, this.#engineAge, this.#engineStale];
    return [this.#inFlight, this.#up, ...engine];
  }

  /** What an engine does not say has no sample. */
  #setEngine(labels: Labels, { observation, ageUs, stale }: EngineView): void {
    const { running, waiting, kvUsageMillionths } = observation;
    if (running !== null) this.#engineRunning.set(labels, running);
    if (waiting !== null) this.#engineWaiting.set(labels, waiting);
    if (kvUsageMillionths !== null) this.#engineKv.set(labels, kvUsageMillionths / 1e6);
    this.#engineAge.set(labels, ageUs / 1e6);
    this.#engineStale.set(labels, stale ? 1 : 0);
  }

  #placeOf(backend: string, site: string): Place {
    const bySite = this.#places.get(backend) ?? new Map<string, Place>();
    const found = bySite.get(site);
    if (found !== undefined) return found;
    const place = new Place({ backend, site });
    this.#places.set(backend, bySite.set(site, place));
    return place;
  }

  #countTokens({ where, tokens }: Place, type: string, { value, method }: Figure): void {
    if (value === null) return;
    const counted =
      tokens.get(type, method) ?? tokens.keep(type, method, this.#tokens.child({ ...where, type, method }));
    counted.value += value;
  }

  #addCost({ where, cost }: Place, method: string, usd: number): void {
    const spent = cost.get(method, "") ?? cost.keep(method, "", this.#cost.child({ ...where, method }));
    spent.value += usd;
  }

  #addEnergy({ where, energy }: Place, { method, boundary }: Figure, joules: number): void {
    const used =
      energy.get(method, boundary) ?? energy.keep(method, boundary, this.#energy.child({ ...where, method, boundary }));
    used.value += joules;
  }
}

function counter(name: string, help: string): Series {
  return new Series("counter", `baseload_${name}_total`, help);
}

function gauge(name: string, help: string): Series {
  return new Series("gauge", `baseload_${name}`, help);
}

function histogram(name: string, help: string, bounds: readonly number[]): Distributions {
  return new Distributions(`baseload_${name}`, help, bounds);
}

function observe(into: Distributions, where: Where, microseconds: Figure): void {
  if (microseconds.value !== null) into.observe(where, microseconds.value / 1e6);
}
