import { randomFillSync } from "node:crypto";
import { type RequestId, uuidv7 } from "../base/ids.ts";

const BYTES_PER_ID = 10;

/** Mints request ids. Owns a pool of random bytes, since asking the system for ten at a time costs more than the id. */
export class Mint {
  readonly #pool = Buffer.alloc(BYTES_PER_ID * 512);
  #at = this.#pool.length;

  requestId(wallMs: number): RequestId {
    if (this.#at === this.#pool.length) {
      randomFillSync(this.#pool);
      this.#at = 0;
    }
    const id = uuidv7(wallMs, this.#pool, this.#at);
    this.#at += BYTES_PER_ID;
    return id;
  }
}
