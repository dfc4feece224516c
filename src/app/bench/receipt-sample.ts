import { Chance } from "../../base/chance.ts";

/** A receipt to be read after the run. */
export interface ReceiptNote {
  readonly id: string;
  /** Whether the request met the objective. */
  readonly useful: boolean;
}

const MOST_ID = 64;
const ID = /^[\w-]+$/;

/** The ids of at most `room` receipts, an even sample of all that were offered (Vitter's algorithm R). */
export class ReceiptSample {
  readonly #room: number;
  readonly #chance: Chance;
  readonly notes: ReceiptNote[] = [];
  /** How many were offered. */
  offered = 0;

  constructor(room: number, seed: string) {
    this.#room = room;
    this.#chance = new Chance(seed, "bench receipts");
  }

  offer(note: ReceiptNote): void {
    // An id becomes part of a path.
    if (note.id.length > MOST_ID || !ID.test(note.id)) return;
    this.offered += 1;
    if (this.notes.length < this.#room) {
      this.notes.push(note);
      return;
    }
    const place = this.#chance.integer(0, this.offered - 1);
    if (place < this.#room) this.notes[place] = note;
  }
}
