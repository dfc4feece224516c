import type { BackendId, RequestId } from "../../base/ids.ts";
import type { Job } from "../../base/job.ts";
import type { Command, Send } from "../../kernel/command.ts";
import type { BackendConfig } from "../../kernel/config.ts";
import type { FleetFacts } from "./limits.ts";
import type { Checker, Moment, Runs } from "./runs.ts";
import { holds } from "./violation.ts";

type Quota = NonNullable<BackendConfig["quota"]>;

const MINUTE_US = 60_000_000n;
const DAY_US = 86_400_000_000n;

/** What may still be used of one limit, in parts of a unit so fine that time adds whole ones. */
interface Allowance {
  readonly isTokens: boolean;
  readonly windowUs: bigint;
  limit: bigint;
  left: bigint;
  atUs: number;
}

/** Tokens that were set aside at a send, by the time over which their limit counts. */
interface SetAside {
  readonly backendId: BackendId;
  readonly taken: ReadonlyMap<bigint, bigint>;
}

/**
 * Counts by itself, in fractions that are never rounded, what each provider has granted: never more at once than a full limit,
 * and what refills meanwhile, a request's tokens as they are set aside at its send and settled at its end.
 */
export class QuotaChecker implements Checker {
  readonly #runs: Runs;
  readonly #facts: FleetFacts;
  readonly #allowances = new Map<BackendId, Allowance[]>();
  readonly #setAside = new Map<RequestId, SetAside>();

  constructor(runs: Runs, facts: FleetFacts) {
    this.#runs = runs;
    this.#facts = facts;
  }

  /** Whether the backend's provider grants this job now. */
  fits(backend: BackendConfig, job: Job, nowUs: number): boolean {
    if (backend.quota === null) return true;
    const tokens = tokensOf(job, backend.quota);
    return this.#of(backend.id, nowUs).every(({ isTokens, windowUs, limit, left }) => {
      // What is larger than the limit goes when all of it is there.
      return left >= (isTokens ? least(BigInt(tokens), limit) : 1n) * windowUs;
    });
  }

  onEvent({ event, ended, nowUs }: Moment): void {
    if (event.kind === "configured") this.#configure(event.config.backends, nowUs);
    const aside = ended === null ? undefined : this.#setAside.get(ended.requestId);
    if (aside === undefined || ended === null || !("usage" in event)) return;
    this.#setAside.delete(ended.requestId);
    const { inputTokens, outputTokens } = event.usage;
    const isUnseen =
      event.kind === "failed" && (event.code === "upstream_unreachable" || event.code === "upstream_connect_timeout");
    const isKnown = inputTokens !== null && outputTokens !== null;
    if (!isUnseen && !isKnown) return;
    const used = BigInt(isUnseen || !isKnown ? 0 : inputTokens + outputTokens);
    for (const allowance of this.#of(aside.backendId, nowUs)) {
      const taken = allowance.isTokens ? aside.taken.get(allowance.windowUs) : undefined;
      if (taken === undefined) continue;
      const { limit, windowUs, left } = allowance;
      allowance.left = least(limit * windowUs, left + (taken - used) * windowUs);
    }
  }

  onCommand({ nowUs }: Moment, command: Command): void {
    if (command.kind === "append") this.#onEnd(command.requestId);
    if (command.kind === "send") this.#onSend(nowUs, command);
  }

  #onEnd(requestId: RequestId): void {
    const backendId = this.#runs.open.get(requestId)?.tried.at(-1);
    if (backendId !== undefined && !this.#facts.backends.has(backendId)) this.#forget(backendId, requestId);
  }

  #onSend(nowUs: number, { requestId, backendId }: Send): void {
    const backend = this.#facts.backends.get(backendId);
    const job = this.#runs.open.get(requestId)?.job;
    if (backend === undefined || backend.quota === null || job === undefined) return;
    const fits = this.fits(backend, job, nowUs);
    holds(fits, "backend-quota", () => `${requestId} is sent to ${backendId}, whose quota does not grant it now`);
    const tokens = tokensOf(job, backend.quota);
    const taken = new Map<bigint, bigint>();
    for (const allowance of this.#of(backendId, nowUs)) {
      const { isTokens, windowUs, limit } = allowance;
      const amount = isTokens ? least(BigInt(tokens), limit) : 1n;
      if (isTokens) taken.set(windowUs, amount);
      allowance.left -= amount * windowUs;
    }
    this.#setAside.set(requestId, { backendId, taken });
  }

  onCrash(): void {
    this.#allowances.clear();
    this.#setAside.clear();
  }

  /** The allowances of a backend, with what has refilled until now. */
  #of(backendId: BackendId, nowUs: number): readonly Allowance[] {
    const allowances = this.#allowances.get(backendId) ?? [];
    for (const allowance of allowances) {
      const { limit, windowUs, left } = allowance;
      allowance.left = least(limit * windowUs, left + BigInt(nowUs - allowance.atUs) * limit);
      allowance.atUs = nowUs;
    }
    return allowances;
  }

  /** One that is gone and still has a request may come back as it was; without one it comes back as new. */
  #forget(backendId: BackendId, ended: RequestId | null): void {
    for (const [requestId, { tried, appended }] of this.#runs.open) {
      if (!appended && requestId !== ended && tried.at(-1) === backendId) return;
    }
    this.#allowances.delete(backendId);
  }

  #configure(backends: readonly BackendConfig[], nowUs: number): void {
    const kept = new Set(backends.map(({ id }) => id));
    for (const id of this.#allowances.keys()) if (!kept.has(id)) this.#forget(id, null);
    for (const { id, quota } of backends) {
      const before = this.#of(id, nowUs);
      this.#allowances.set(id, quota === null ? [] : allowancesOf(quota, before, nowUs));
    }
  }
}

function allowancesOf(quota: Quota, before: readonly Allowance[], nowUs: number): Allowance[] {
  const limits: readonly (readonly [boolean, bigint, number | null])[] = [
    [false, MINUTE_US, quota.requestsPerMinute],
    [true, MINUTE_US, quota.tokensPerMinute],
    [false, DAY_US, quota.requestsPerDay],
    [true, DAY_US, quota.tokensPerDay],
  ];
  return limits.flatMap(([isTokens, windowUs, most]) => {
    if (most === null) return [];
    const limit = BigInt(most);
    const old = before.find((each) => each.isTokens === isTokens && each.windowUs === windowUs);
    const left = least(limit * windowUs, old === undefined ? limit * windowUs : old.left);
    return [{ isTokens, windowUs, limit, left, atUs: nowUs }];
  });
}

function tokensOf({ promptTextLength, maxOutputTokens }: Job, quota: Quota): number {
  return Math.ceil(promptTextLength / 4) + (maxOutputTokens ?? quota.assumedOutputTokens);
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
