import type { RequestId } from "../base/ids.ts";
import type { Command } from "../kernel/command.ts";
import type { Event } from "../kernel/event.ts";
import { AgentChecker, type LookAtRun } from "./checkers/agents.ts";
import { BooksChecker } from "./checkers/books.ts";
import { EnergyChecker } from "./checkers/energy.ts";
import { LifeChecker } from "./checkers/life.ts";
import { FleetFacts, LimitChecker } from "./checkers/limits.ts";
import { QueueChecker } from "./checkers/queue.ts";
import { QuotaChecker } from "./checkers/quota.ts";
import { type Checker, Runs } from "./checkers/runs.ts";
import type { StoreModel } from "./store-model.ts";

/**
 * Everything that must hold, judged from events, commands and stored data alone: the checkers never look into the kernel.
 * The first rule that does not hold is thrown as a `Violation`. Owned by the world.
 */
export class Checkers {
  readonly #runs = new Runs();
  readonly #facts = new FleetFacts();
  // Called by name and not in a loop: a loop over different classes takes several times as long.
  readonly #life = new LifeChecker(this.#runs);
  readonly #limits = new LimitChecker(this.#runs, this.#facts);
  readonly #quota = new QuotaChecker(this.#runs, this.#facts);
  readonly #queue = new QueueChecker(this.#runs, this.#facts, this.#quota);
  readonly #energy = new EnergyChecker();
  readonly #books: BooksChecker;
  readonly #agents: AgentChecker;
  readonly #touched = new Set<RequestId>();

  constructor(disk: Pick<StoreModel, "leaves" | "postings">, look: LookAtRun = () => null) {
    this.#books = new BooksChecker(disk);
    this.#agents = new AgentChecker(this.#facts, { disk, look });
  }

  /** Requests open, and receipts not yet durable. */
  get pending(): { readonly open: number; readonly queued: number; readonly unsettled: number } {
    return { open: this.#runs.open.size, queued: this.#queue.size, unsettled: this.#books.unsettled };
  }

  /** Leaves whose posting died with a process. */
  get orphans(): number {
    return this.#books.orphans.size;
  }

  /** Looks at one step of the kernel, before its commands are performed. */
  step(nowUs: number, event: Event, commands: readonly Command[]): void {
    const at = this.#runs.moment(nowUs, event);
    const touched = this.#touched;
    touched.clear();
    if (event.kind === "arrived") touched.add(event.job.requestId);
    else if (at.subject !== null) touched.add(at.subject.job.requestId);
    this.#life.onEvent();
    this.#limits.onEvent(at);
    this.#quota.onEvent(at);
    this.#queue.onEvent(at);
    this.#energy.onEvent(at);
    this.#books.onEvent(at);
    this.#facts.takeEvent(at);
    this.#runs.takeEvent(at);
    for (const command of commands) {
      if ("requestId" in command) touched.add(command.requestId);
      this.#life.onCommand(at, command);
      this.#limits.onCommand(at, command);
      this.#queue.onCommand(at, command);
      this.#quota.onCommand(at, command);
      this.#energy.onCommand(at, command);
      this.#books.onCommand(at, command);
      this.#agents.onCommand(at, command);
      this.#runs.takeCommand(command);
    }
    this.#life.onStepEnd(at, touched);
    this.#queue.onStepEnd(at, touched);
    this.#books.onStepEnd();
    this.#agents.onStepEnd();
    this.#runs.endStep(touched);
  }

  /** The kernel's process died; the disk stays. */
  crash(nowUs: number): void {
    for (const checker of this.#all()) checker.onCrash?.(nowUs);
    this.#runs.open.clear();
    this.#facts.forget();
  }

  /** Nothing is left to happen. */
  end(nowUs: number): void {
    for (const checker of this.#all()) checker.onEnd?.(nowUs);
  }

  #all(): readonly Checker[] {
    return [this.#life, this.#limits, this.#quota, this.#queue, this.#energy, this.#books, this.#agents];
  }
}
