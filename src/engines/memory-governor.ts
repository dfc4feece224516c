/** Which models of embedded engines are in memory, where not all of them fit at once. */

/** A model that can be in memory. All bytes are estimates. */
export interface Member {
  readonly bytes: number;
  /** When a request last began or ended at it, by the monotonic clock. */
  readonly usedAtMs: number;
  readonly isBusy: boolean;
  /** Asks it to leave as soon as no request runs at it, and to say `leave` then. */
  reclaim(): void;
}

/**
 * Which of the models in memory must leave for `wantedBytes` more to fit within `limitBytes`: those without requests first, and
 * of two the one that was used longer ago. Those in `leaving` are on their way out already. None where it fits.
 */
export function chooseLeavers<M extends Pick<Member, "bytes" | "usedAtMs" | "isBusy">>(
  inside: readonly M[],
  need: { readonly wantedBytes: number; readonly limitBytes: number; readonly leaving: ReadonlySet<M> },
): readonly M[] {
  const staying = inside.filter((member) => !need.leaving.has(member));
  let free = need.limitBytes - staying.reduce((sum, { bytes }) => sum + bytes, 0);
  const order = staying.toSorted(
    (one, other) => Number(one.isBusy) - Number(other.isBusy) || one.usedAtMs - other.usedAtMs,
  );
  const leavers: M[] = [];
  for (const member of order) {
    if (free >= need.wantedBytes) break;
    leavers.push(member);
    free += member.bytes;
  }
  return leavers;
}

/** Lets models into memory within a limit, in the order in which they were asked for. Owned by the composition root. */
export class MemoryGovernor {
  readonly limitBytes: number;
  readonly #inside = new Set<Member>();
  readonly #leaving = new Set<Member>();
  #waiting: { readonly member: Member; readonly admit: () => void }[] = [];

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** Bytes of the models in memory, those on their way out included. */
  get usedBytes(): number {
    return [...this.#inside].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Lets a model in at once if it fits without another's leaving and nobody waits; says whether it did. */
  tryAdmit(member: Member): boolean {
    if (this.#waiting.length > 0 || this.usedBytes + member.bytes > this.limitBytes) return false;
    this.#inside.add(member);
    return true;
  }

  /** Resolves once the model's bytes are free for it. One that waits may give up by `leave`; its promise then stays open. */
  admit(member: Member): Promise<void> {
    return new Promise((admit) => {
      this.#waiting.push({ member, admit });
      this.#pump();
    });
  }

  /** The model is out of memory, or waits for it no more. */
  leave(member: Member): void {
    this.#inside.delete(member);
    this.#leaving.delete(member);
    this.#waiting = this.#waiting.filter((each) => each.member !== member);
    this.#pump();
  }

  #pump(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const { member, admit } = next;
      if (this.usedBytes + member.bytes > this.limitBytes) {
        const need = { wantedBytes: member.bytes, limitBytes: this.limitBytes, leaving: this.#leaving };
        const leavers = chooseLeavers([...this.#inside], need);
        for (const leaver of leavers) this.#leaving.add(leaver);
        for (const leaver of leavers) leaver.reclaim();
        return;
      }
      this.#waiting.shift();
      this.#inside.add(member);
      admit();
    }
  }
}
