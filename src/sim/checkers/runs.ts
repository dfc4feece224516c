import type { BackendId, RequestId } from "../../base/ids.ts";
import type { Job } from "../../base/job.ts";
import type { Command, Send } from "../../kernel/command.ts";
import type { Cancelled, Event } from "../../kernel/event.ts";

/** One request as seen from outside: from its arrival to its receipt. */
export interface Seen {
  readonly job: Job;
  readonly arrivedUs: number;
  /** The latest send while it runs; null before, between and after. */
  running: Send | null;
  /** Sends so far. */
  sends: number;
  readonly tried: BackendId[];
  /** Real content came in the running attempt. */
  first: boolean;
  committed: boolean;
  answered: "ok" | "error" | null;
  /** Why nobody waits for it any more: the client left or was too slow, or the server stopped; the first of them. */
  cancelled: Cancelled["code"] | null;
  appended: boolean;
}

/** One step of the kernel, as the checkers see it. `ended` is the attempt that the event ended, if one was running. */
export interface Moment {
  readonly nowUs: number;
  readonly event: Event;
  readonly ended: Send | null;
  /** The request that the event names, if it is open. */
  readonly subject: Seen | null;
}

/** Something that looks on. Each method is called with what happened, before `Runs` takes it in. */
export interface Checker {
  onEvent?(at: Moment): void;
  onCommand?(at: Moment, command: Command): void;
  /** After the last command of a step; `touched` are the requests that the step named. */
  onStepEnd?(at: Moment, touched: ReadonlySet<RequestId>): void;
  /** The kernel's process died and a new one begins. */
  onCrash?(nowUs: number): void;
  /** Nothing is left to happen. */
  onEnd?(nowUs: number): void;
}

/**
 * What is open and what runs, told from events and commands alone, never from the kernel. The other checkers read it.
 * Owned by `Checkers`.
 */
export class Runs {
  readonly open = new Map<RequestId, Seen>();
  /** For each backend that lets attempts run on after their client left, how long, by its latest configuration. */
  readonly #drainMs = new Map<BackendId, number | null>();

  /** How long the attempt that runs may go on once its client leaves, or null when it may not. */
  drainMsOf(seen: Seen): number | null {
    return seen.running === null ? null : (this.#drainMs.get(seen.running.backendId) ?? null);
  }

  /** The moment of an event, before it is taken in. */
  moment(nowUs: number, event: Event): Moment {
    if (!("requestId" in event)) return { nowUs, event, ended: null, subject: null };
    const subject = this.open.get(event.requestId) ?? null;
    const isCurrent = subject !== null && subject.running !== null && subject.running.attempt === event.attempt;
    const isLeft = event.kind === "cancelled" && event.code !== "shutting_down" && subject !== null;
    const runsOn = isLeft && this.drainMsOf(subject) !== null;
    const ends = event.kind === "finished" || event.kind === "failed" || (event.kind === "cancelled" && !runsOn);
    return { nowUs, event, ended: ends && isCurrent ? subject.running : null, subject };
  }

  takeEvent({ nowUs, event, ended, subject }: Moment): void {
    if (event.kind === "configured") {
      for (const { id, drainMs } of event.config.backends) this.#drainMs.set(id, drainMs);
    }
    if (event.kind === "arrived") {
      this.open.set(event.job.requestId, {
        job: event.job,
        arrivedUs: nowUs,
        running: null,
        sends: 0,
        tried: [],
        first: false,
        committed: false,
        answered: null,
        cancelled: null,
        appended: false,
      });
    }
    if (subject === null) return;
    if (ended !== null) subject.running = null;
    if (event.kind === "cancelled") subject.cancelled ??= event.code;
    if (event.kind === "first" && subject.running?.attempt === event.attempt) subject.first = true;
  }

  takeCommand(command: Command): void {
    if (!("requestId" in command)) return;
    const seen = this.open.get(command.requestId);
    if (seen === undefined) return;
    if (command.kind === "send") {
      seen.running = command;
      seen.sends += 1;
      seen.tried.push(command.backendId);
    } else if (command.kind === "commit") seen.committed = true;
    else if (command.kind === "answer") seen.answered = command.result.ok ? "ok" : "error";
    else if (command.kind === "append") seen.appended = true;
  }

  /** Forgets the requests of a step that have their receipt. */
  endStep(touched: ReadonlySet<RequestId>): void {
    for (const requestId of touched) if (this.open.get(requestId)?.appended === true) this.open.delete(requestId);
  }
}
