import { assert, present, unreachable } from "../base/assert.ts";
import { onCancelled, onFailed, onFinished, onFirst, onProgress } from "./attempts.ts";
import { onArrived, onWoke, reviewQueue } from "./admission.ts";
import type { Command } from "./command.ts";
import type { RequestId } from "../base/ids.ts";
import type { Endpoint } from "../base/job.ts";
import type { ModelView } from "../base/model.ts";
import type { Caller } from "../policy/access.ts";
import type { Event } from "./event.ts";
import { onConfigured, onCordoned, onLeased, onLimited, onObserved } from "./fleet.ts";
import { onRecalled, viewRun, type RunView } from "./runs.ts";
import { onAppended, onStored } from "./settle.ts";
import { fromSnapshot, type Snapshot, toSnapshot } from "./snapshot.ts";
import type { State } from "./state.ts";
import { type BackendView, viewBackends, viewServes } from "./view.ts";
import { viewModels } from "./model-view.ts";

/**
 * The utility as one machine. `step` is its only way to change; it has no clock, timer, promise, socket, file, randomness or
 * environment, so the same events give the same commands, live, simulated and replayed. Owned by exactly one runner.
 */
export class Kernel {
  #state: State | null = null;
  #nowUs = 0;

  /** Takes one event at `nowUs` (integer monotonic microseconds, never going back) and returns what to do, in order. */
  step(nowUs: number, event: Event): readonly Command[] {
    assert(Number.isSafeInteger(nowUs) && nowUs >= this.#nowUs, `time went from ${this.#nowUs} to ${nowUs}`);
    this.#nowUs = nowUs;
    const out: Command[] = [];
    if (event.kind === "configured") {
      this.#state = onConfigured(this.#state, nowUs, { event, out });
      reviewQueue(this.#state, nowUs, out);
      return out;
    }
    this.#dispatch(present(this.#state, "the first event must be `configured`"), nowUs, { event, out });
    return out;
  }

  #dispatch(state: State, nowUs: number, io: { event: Exclude<Event, { kind: "configured" }>; out: Command[] }): void {
    const { event, out } = io;
    switch (event.kind) {
      case "arrived":
        return onArrived(state, nowUs, { event, out });
      case "recalled":
        return onRecalled(state, nowUs, event);
      case "leased":
        return onLeased(state, nowUs, { event, out });
      case "first":
        return onFirst(state, nowUs, { event, out });
      case "progress":
        return onProgress(state, event);
      case "finished":
        return onFinished(state, nowUs, { event, out });
      case "failed":
        return onFailed(state, nowUs, { event, out });
      case "cancelled":
        return onCancelled(state, nowUs, { event, out });
      case "woke":
        return onWoke(state, nowUs, { event, out });
      case "observed":
        return onObserved(state, nowUs, { event, out });
      case "cordoned":
        return onCordoned(state, nowUs, { event, out });
      case "limited":
        return onLimited(state, event);
      case "appended":
        return onAppended(state, event, out);
      case "stored":
        return onStored(state, event);
      default:
        return unreachable(event);
    }
  }

  /** The models that this caller can ask for now, in configuration order. Read-only. */
  models(caller: Caller): readonly ModelView[] {
    return this.#state === null ? [] : viewModels(this.#state, caller);
  }

  /** Whether some backend serves this caller this model at this endpoint. Read-only. */
  serves(caller: Caller, model: string, endpoint: Endpoint): boolean {
    return this.#state !== null && viewServes(this.#state, { caller, model, endpoint });
  }

  /** The backends and their load at `nowUs`, by default the last event's time. Read-only. */
  backends(nowUs = this.#nowUs): readonly BackendView[] {
    return this.#state === null ? [] : viewBackends(this.#state, Math.max(nowUs, this.#nowUs));
  }

  /** A run that is kept, or null: then its receipts tell of it. Read-only. */
  run(tenant: string, runId: string): RunView | null {
    return this.#state === null ? null : viewRun(this.#state, tenant, runId);
  }

  /** How many runs met a limit, by its kind. Read-only. */
  runsLimited(): State["runsLimited"] {
    return this.#state?.runsLimited ?? {};
  }

  /** Requests not yet answered, and receipts not yet settled. Read-only. */
  counts(): { readonly open: number; readonly queued: number; readonly unsettled: number } {
    const state = this.#state;
    if (state === null) return { open: 0, queued: 0, unsettled: 0 };
    return { open: state.open.size, queued: state.queue.size, unsettled: state.unsettled.size };
  }

  /** The tenant of a receipt that was made and that the store has not reported durable, or null. Read-only. */
  unsettledTenant(requestId: RequestId): string | null {
    return this.#state?.unsettled.get(requestId)?.principal.tenant ?? null;
  }

  /** The whole state as plain data. */
  snapshot(): Snapshot {
    return toSnapshot(present(this.#state, "a kernel that is not configured has no state"), this.#nowUs);
  }

  /** A kernel that goes on from a snapshot. */
  static restore(snapshot: Snapshot): Kernel {
    const kernel = new Kernel();
    kernel.#state = fromSnapshot(snapshot);
    kernel.#nowUs = snapshot.nowUs;
    return kernel;
  }
}
