import type { RequestId } from "../../base/ids.ts";
import type { Abort, Answer, Append, Command, Commit, Send } from "../../kernel/command.ts";
import type { Checker, Moment, Runs, Seen } from "./runs.ts";
import { holds, type Rule } from "./violation.ts";

/**
 * A request's life in order: sends one by one, at most one commit, one answer unless the client left, one receipt, and
 * nothing after it.
 */
export class LifeChecker implements Checker {
  readonly #runs: Runs;
  readonly #ended = new Set<RequestId>();
  #aborted: RequestId | null = null;

  constructor(runs: Runs) {
    this.#runs = runs;
  }

  onEvent(): void {
    this.#aborted = null;
  }

  onCommand(at: Moment, command: Command): void {
    switch (command.kind) {
      case "send":
        return this.#onSend(this.#openFor(command, "attempts"), command);
      case "abort":
        return this.#onAbort(at, command);
      case "commit":
        return this.#onCommit(at, this.#openFor(command, "commit-once"), command);
      case "answer":
        return this.#onAnswer(at, this.#openFor(command, "answered-once"), command);
      case "append":
        return this.#onAppend(this.#openFor(command, "settled-once"), command);
      default:
        return undefined;
    }
  }

  onStepEnd(at: Moment, touched: ReadonlySet<RequestId>): void {
    this.#checkDuties(at);
    for (const requestId of touched) {
      const seen = this.#runs.open.get(requestId);
      if (seen === undefined) continue;
      const isOver = seen.answered !== null || isLeft(seen);
      holds(isOver === seen.appended, "settled-once", () =>
        isOver ? `${requestId} ended without a receipt` : `${requestId} has a receipt but is open`,
      );
      if (seen.appended) this.#ended.add(requestId);
    }
  }

  /** What the event asked for at once. */
  #checkDuties({ event, ended, subject }: Moment): void {
    if (subject === null) return;
    const { requestId } = subject.job;
    if (event.kind === "first" && subject.first && subject.cancelled === null) {
      holds(subject.committed, "commit-once", () => `${requestId} has content but its headers were held back`);
    }
    if (event.kind === "finished" && ended !== null && subject.cancelled === null) {
      holds(subject.answered === "ok", "answered-once", () => `${requestId} finished but was not answered`);
    }
    if (event.kind === "cancelled") {
      const isIdle = ended === null && subject.running === null;
      holds(isIdle || this.#aborted === requestId, "abort-running", () => `${requestId} runs on unheard`);
      const owed = subject.cancelled === "shutting_down";
      holds(!owed || subject.answered === "error", "answered-once", () => `${requestId} was not told of the stop`);
    }
  }

  onCrash(): void {
    // Connections died with the process: what was open is over, without answer or receipt.
    for (const requestId of this.#runs.open.keys()) this.#ended.add(requestId);
  }

  onEnd(): void {
    const first = this.#runs.open.keys().next().value;
    holds(first === undefined, "liveness", () => `${this.#runs.open.size} requests never ended, the first is ${first}`);
  }

  #openFor(command: Send | Commit | Answer | Append, rule: Rule): Seen {
    const { requestId } = command;
    const seen = this.#runs.open.get(requestId);
    holds(seen !== undefined, rule, () => `${command.kind} of ${requestId}, which ${this.#stateOf(requestId)}`);
    return seen;
  }

  #stateOf(requestId: RequestId): string {
    return this.#ended.has(requestId) ? "has ended" : "never arrived";
  }

  #onSend(seen: Seen, { requestId, attempt, backendId }: Send): void {
    holds(seen.running === null, "attempts", () => `${requestId} is sent twice at once`);
    holds(attempt === seen.sends + 1, "attempts", () => `${requestId}: attempt ${attempt} after ${seen.sends} sends`);
    holds(!seen.committed, "attempts", () => `${requestId} is sent again after its headers went out`);
    holds(seen.answered === null && seen.cancelled === null, "attempts", () => `${requestId} is sent after its end`);
    holds(!seen.tried.includes(backendId), "attempts", () => `${requestId} is sent to ${backendId} again`);
  }

  #onAbort({ ended, subject }: Moment, { requestId, attempt, withinMs }: Abort): void {
    // What runs on is still running; what is ended at once was ended by the event.
    const drainMs = subject === null ? null : this.#runs.drainMsOf(subject);
    const its = withinMs > 0 ? (subject?.running ?? null) : ended;
    const isIts = its !== null && its.requestId === requestId && its.attempt === attempt && withinMs === (drainMs ?? 0);
    holds(isIts && this.#aborted === null, "abort-running", () => `attempt ${attempt} of ${requestId} does not run`);
    this.#aborted = requestId;
  }

  #onCommit({ ended }: Moment, seen: Seen, { requestId, attempt }: Commit): void {
    const attemptNow = ended?.attempt ?? seen.running?.attempt;
    holds(!seen.committed, "commit-once", () => `${requestId} is committed twice`);
    holds(seen.answered === null, "commit-once", () => `${requestId} is committed after its answer`);
    holds(attempt === attemptNow, "commit-once", () => `${requestId}: attempt ${attempt} is not the one that runs`);
  }

  #onAnswer({ event, ended }: Moment, seen: Seen, { requestId, attempt, result }: Answer): void {
    holds(seen.answered === null, "answered-once", () => `${requestId} is answered twice`);
    holds(!isLeft(seen), "answered-once", () => `${requestId} is answered after its client left`);
    holds(seen.running === null, "answered-once", () => `${requestId} is answered while it runs`);
    holds(attempt === seen.sends, "answered-once", () => `${requestId}: the answer names attempt ${attempt}`);
    if (!result.ok) return;
    holds(seen.committed, "commit-once", () => `${requestId} is answered well before a commit`);
    const finished = event.kind === "finished" && ended?.requestId === requestId;
    holds(finished, "answered-once", () => `${requestId} is answered well but did not finish`);
  }

  #onAppend(seen: Seen, { requestId, receipt }: Append): void {
    holds(!seen.appended, "settled-once", () => `${requestId} has two receipts`);
    const isOver = seen.answered !== null || isLeft(seen);
    holds(isOver, "answered-once", () => `${requestId} is settled but its client was not answered`);
    const outcome = seen.cancelled !== null ? "cancelled" : seen.answered === "ok" ? "completed" : "failed";
    holds(
      receipt.outcome === outcome,
      "settled-once",
      () => `${requestId} ${outcome}, its receipt: ${receipt.outcome}`,
    );
    holds(receipt.receiptId === requestId, "settled-once", () => `${requestId}'s receipt is of ${receipt.receiptId}`);
    const tried = receipt.attempts.map((each) => each.backendId).join();
    holds(
      tried === seen.tried.join(),
      "settled-once",
      () => `${requestId} was at ${seen.tried.join()}, not at ${tried}`,
    );
  }
}

/** Whether nobody is left who could be answered, and nothing runs on. */
function isLeft({ cancelled, running }: Seen): boolean {
  return cancelled !== null && cancelled !== "shutting_down" && running === null;
}
