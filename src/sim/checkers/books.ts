import type { RequestId } from "../../base/ids.ts";
import type { Receipt } from "../../base/receipt.ts";
import type { Command, Post } from "../../kernel/command.ts";
import type { Appended, Stored } from "../../kernel/event.ts";
import type { StoreModel } from "../store-model.ts";
import { checkReceipt } from "./receipt.ts";
import type { Checker, Moment } from "./runs.ts";
import { holds } from "./violation.ts";

type Posting = Post["posting"];

/** Receipts, leaves and postings: each once, in order, equal to what was appended, and still there after a crash. */
export class BooksChecker implements Checker {
  readonly #disk: Pick<StoreModel, "leaves" | "postings">;
  /** Receipts that were given to the store and not yet reported. */
  readonly #appended = new Map<RequestId, Receipt>();
  /** Leaves reported in this step, which must be posted in it. */
  readonly #toPost = new Map<number, RequestId>();
  readonly #posted = new Map<RequestId, Posting>();
  /** Leaves whose posting died with a process; the ledger gets them when it is projected again. */
  readonly orphans = new Set<number>();
  #leaves = 0;

  constructor(disk: Pick<StoreModel, "leaves" | "postings">) {
    this.#disk = disk;
  }

  /** Receipts that wait for the store. */
  get unsettled(): number {
    return this.#appended.size;
  }

  onEvent({ event }: Moment): void {
    if (event.kind === "appended") this.#onAppended(event);
    else if (event.kind === "stored") this.#onStored(event);
  }

  onCommand(_at: Moment, command: Command): void {
    if (command.kind === "append") {
      checkReceipt(command.receipt);
      this.#appended.set(command.requestId, command.receipt);
    } else if (command.kind === "post") this.#onPost(command);
  }

  onStepEnd(): void {
    const [leafIndex] = this.#toPost.keys();
    holds(leafIndex === undefined, "posted-once", () => `leaf ${leafIndex} is durable but was not posted`);
  }

  onCrash(): void {
    this.#checkDisk(false);
    for (const requestId of this.#disk.leaves.slice(this.#leaves).map((leaf) => leaf.requestId)) {
      // It was written, but the process died before it could hear of it.
      holds(this.#appended.has(requestId), "durable", () => `the disk has ${requestId}, which was never appended`);
    }
    this.#leaves = this.#disk.leaves.length;
    for (let leafIndex = 0; leafIndex < this.#leaves; leafIndex += 1) {
      if (!this.#disk.postings.has(leafIndex)) this.orphans.add(leafIndex);
    }
    this.#appended.clear();
    this.#posted.clear();
  }

  onEnd(): void {
    const waiting = this.#appended.size + this.#posted.size;
    holds(waiting === 0, "liveness", () => `${waiting} receipts or postings were never stored`);
    this.#checkDisk(true);
  }

  #onAppended({ firstLeafIndex, requestIds }: Appended): void {
    holds(firstLeafIndex === this.#leaves, "durable", () => `leaf ${firstLeafIndex} after ${this.#leaves} leaves`);
    for (const requestId of requestIds) {
      const receipt = this.#appended.get(requestId);
      const leaf = this.#disk.leaves[this.#leaves];
      const isThere = receipt !== undefined && leaf?.requestId === requestId && leaf.receipt === receipt;
      holds(isThere, "durable", () => `leaf ${this.#leaves} is reported as ${requestId} but is not it`);
      this.#toPost.set(this.#leaves, requestId);
      this.#leaves += 1;
    }
  }

  #onPost({ requestId, posting }: Post): void {
    const { leafIndex } = posting;
    const owed = this.#toPost.get(leafIndex) === requestId && posting.requestId === requestId;
    holds(owed, "posted-once", () => `leaf ${leafIndex} of ${requestId} is posted again, early or under a wrong name`);
    const receipt = this.#appended.get(requestId);
    if (receipt !== undefined) checkPosting(posting, receipt);
    this.#toPost.delete(leafIndex);
    this.#appended.delete(requestId);
    this.#posted.set(requestId, posting);
  }

  #onStored({ requestIds }: Stored): void {
    for (const requestId of requestIds) {
      const posting = this.#posted.get(requestId);
      const stored = posting !== undefined && this.#disk.postings.get(posting.leafIndex) === posting;
      holds(stored, "durable", () => `the posting of ${requestId} is reported but not on the disk`);
      this.#posted.delete(requestId);
    }
  }

  /** Each reported leaf is on the disk, once, and each has its posting unless it was lost or is on its way. */
  #checkDisk(isComplete: boolean): void {
    const { leaves, postings } = this.#disk;
    holds(
      leaves.length >= this.#leaves,
      "durable",
      () => `${this.#leaves} leaves were reported, ${leaves.length} exist`,
    );
    if (!isComplete) return;
    const names = new Set(leaves.map((leaf) => leaf.requestId));
    holds(names.size === leaves.length, "settled-once", () => `${leaves.length - names.size} leaves are there twice`);
    for (let leafIndex = 0; leafIndex < leaves.length; leafIndex += 1) {
      const isPosted = postings.get(leafIndex)?.requestId === leaves[leafIndex]?.requestId;
      holds(
        isPosted || this.orphans.has(leafIndex),
        "posted-once",
        () => `leaf ${leafIndex} has no posting of its own`,
      );
    }
  }
}

// What the receipt's figures must move, by name. Kept apart from the ledger's own table, which it checks.
const MOVES = [
  { name: "inputTokens", figureOf: ({ tokens }: Receipt) => tokens.input.value },
  { name: "outputTokens", figureOf: ({ tokens }: Receipt) => tokens.output.value },
  { name: "costNanoUsd", figureOf: (receipt: Receipt) => receipt.costNanoUsd.value },
  { name: "energyMilliJoules", figureOf: (receipt: Receipt) => receipt.energyMilliJoules.value },
  { name: "carbonMicrograms", figureOf: (receipt: Receipt) => receipt.carbonMicrograms.value },
] as const;

/** Each figure moves once, from the backend's account to the tenant's, what is unknown stays so, and nothing else moves. */
function checkPosting(posting: Posting, receipt: Receipt): void {
  const { requestId, tenant, backend, amounts } = posting;
  const isBetween = tenant === receipt.principal.tenant && backend === (receipt.backendId ?? "none");
  holds(isBetween, "posted-once", () => `${requestId} is posted from ${backend} to ${tenant}`);
  for (const { name, figureOf } of MOVES) {
    const due = figureOf(receipt);
    holds(amounts[name] === due, "posted-once", () => `${requestId}: ${name} is ${due}, posted ${amounts[name]}`);
  }
  const others = Object.keys(amounts).length - MOVES.length;
  holds(others === 0, "posted-once", () => `${requestId}: ${others} amounts too many`);
}
