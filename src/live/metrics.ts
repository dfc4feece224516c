import type { Figure, Receipt } from "../base/receipt.ts";
import type { RunLimitKind } from "../base/run.ts";
import type { BackendView, EngineView } from "../kernel/view.ts";
import { Distributions, type Labels, type Metric, Series } from "./prometheus.ts";

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

  /** A request ended. */
  record(receipt: Receipt): void {
    const where = { backend: receipt.backendId ?? "none", site: receipt.site ?? "none" };
    this.#requests.add({ ...where, outcome: receipt.outcome, code: receipt.code ?? "none" });
    for (const attempt of receipt.attempts) this.#attempts.add({ backend: attempt.backendId, result: attempt.result });
    this.#countTokens(receipt, where);
    const { costNanoUsd, energyMilliJoules, carbonMicrograms, time } = receipt;
    if (costNanoUsd.value !== null) this.#cost.add({ ...where, method: costNanoUsd.method }, costNanoUsd.value / 1e9);
    if (energyMilliJoules.value !== null) {
      const { method, boundary, value } = energyMilliJoules;
      this.#energy.add({ ...where, method, boundary }, value / 1e3);
    }
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

  #countTokens(receipt: Receipt, where: Where): void {
    for (const [type, figure] of Object.entries(receipt.tokens) as [string, Figure][]) {
      if (figure.value !== null) this.#tokens.add({ ...where, type, method: figure.method }, figure.value);
    }
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
