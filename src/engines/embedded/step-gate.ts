/** Brings the requests of one context into step, so that each step of the model computes one token for every one of them. */

/**
 * A gate that lets work through in rounds: whatever asks during a round waits for its end, then all go together.
 *
 * Left alone, node-llama-cpp starts its next batch with the first sequence whose token was drawn, and keeps its context lock
 * while any sequence has work queued; batches then shrink to one token each, and a new request, which needs the lock to
 * prepare its sequence, waits until the others have finished. Between rounds nothing is queued and the lock is free.
 *
 * Owned by the loaded engine, one per context.
 */
export class StepGate {
  #inRound = 0;
  /** The end of the round in progress, or null while the next round gathers. */
  #roundEnd: PromiseWithResolvers<void> | null = null;

  /** Runs `work`, one step of one sequence, in the next round. Settles as `work` does. */
  async step<T>(work: () => Promise<T>): Promise<T> {
    while (this.#roundEnd !== null) await this.#roundEnd.promise;
    // The batch is dispatched by a macrotask that `work` asks for; this one was asked for earlier, so it runs before.
    if (this.#inRound++ === 0) setImmediate(() => this.#begin());
    try {
      return await work();
    } finally {
      // A macrotask later, the lock has been let go and sockets have been read.
      if (--this.#inRound === 0) setImmediate(() => this.#end());
    }
  }

  #begin(): void {
    if (this.#inRound > 0) this.#roundEnd ??= Promise.withResolvers<void>();
  }

  #end(): void {
    // Work too short to outlast its gathering may have been followed by more.
    if (this.#inRound > 0) return;
    this.#roundEnd?.resolve();
    this.#roundEnd = null;
  }
}
