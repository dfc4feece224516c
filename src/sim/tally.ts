import type { Command } from "../kernel/command.ts";
import type { Event } from "../kernel/event.ts";

/** What happened in a run, counted from events and commands. Owned by the world. */
export class Tally {
  events = 0;
  commands = 0;
  requests = 0;
  sends = 0;
  /** Sends after the first of a request. */
  fallbacks = 0;
  /** Wakes asked for, one for each time that a request began to wait. */
  waits = 0;
  aborts = 0;
  reconfigurations = 0;
  processes = 1;
  /** Requests that were open when a process crashed. */
  lostInCrash = 0;
  orphanLeaves = 0;
  staleEvents = 0;
  simulatedUs = 0;
  /** Receipts by outcome, failures and cancellations by their code. */
  readonly ended: Record<string, number> = {};
  /** How often each kind of fault happened. */
  faults: Readonly<Record<string, number>> = {};

  step(event: Event, commands: readonly Command[]): void {
    this.events += 1;
    this.commands += commands.length;
    if (event.kind === "arrived") this.requests += 1;
    for (const command of commands) {
      if (command.kind === "send") {
        this.sends += 1;
        if (command.attempt > 1) this.fallbacks += 1;
      } else if (command.kind === "wake") this.waits += 1;
      else if (command.kind === "abort") this.aborts += 1;
      else if (command.kind === "append") {
        const how = command.receipt.code ?? command.receipt.outcome;
        this.ended[how] = (this.ended[how] ?? 0) + 1;
      }
    }
  }
}
