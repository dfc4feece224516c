import type { Event } from "../kernel/event.ts";

/** What a simulated door is given by the world: the time, later, and the kernel's ear. */
export interface Host {
  /** Simulated monotonic time in integer microseconds. */
  readonly nowUs: number;
  /** Runs `action` this much later; equal times keep the order of the calls. Lost when the simulated process crashes. */
  after(delayUs: number, action: () => void): void;
  /** Tells the kernel, which performs its commands before this returns. Only to be called from an action. */
  feed(event: Event): void;
}
