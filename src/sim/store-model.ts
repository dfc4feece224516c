import { assert } from "../base/assert.ts";
import { Chance } from "../base/chance.ts";
import type { RequestId } from "../base/ids.ts";
import type { Receipt } from "../base/receipt.ts";
import type { Append, Lease, Post } from "../kernel/command.ts";
import type { Faults } from "./faults.ts";
import type { Host } from "./host.ts";

const COMMIT_EVERY_US = 5_000;
const RETRY_US = 500_000;
const LEASE_LATE_MAX_US = 5_000_000;

interface Group {
  readonly appends: readonly Append[];
  readonly posts: readonly Post[];
}

/**
 * The store: takes groups, one at a time, and reports each when it is durable. A group may be slow, be refused and tried
 * again, or be written while its report is lost, so that it comes twice. A crash loses what is not durable. Owned by the
 * world; the disk (`leaves`, `postings`) outlives crashes.
 */
export class StoreModel {
  /** Durable receipts; the index is the leaf index. */
  readonly leaves: { readonly requestId: RequestId; readonly receipt: Receipt }[] = [];
  /** Durable postings by leaf index. */
  readonly postings = new Map<number, Post["posting"]>();
  readonly #host: Host;
  readonly #faults: Faults;
  readonly #chance: Chance;
  readonly #grantedUs = new Map<string, number>();
  #appends: Append[] = [];
  #posts: Post[] = [];
  #inFlight: Group | null = null;
  #isScheduled = false;
  /** First leaf index of the group in flight if it was written but its report was lost; makes the second try idempotent. */
  #writtenAt: number | null = null;

  constructor(host: Host, faults: Faults, seed: string) {
    this.#host = host;
    this.#faults = faults;
    this.#chance = new Chance(seed, "store");
  }

  append(command: Append): void {
    this.#appends.push(command);
    this.#schedule(COMMIT_EVERY_US);
  }

  post(command: Post): void {
    this.#posts.push(command);
    this.#schedule(COMMIT_EVERY_US);
  }

  /** Grants a lease: at once, late, or first a part of it. */
  lease({ resource, amount }: Lease): void {
    const grant = (delayUs: number, granted: number): void => {
      // A store answers in the order in which it was asked: a later lease's grant never overtakes an earlier one's.
      const atUs = Math.max(this.#host.nowUs + delayUs, this.#grantedUs.get(resource) ?? 0);
      this.#grantedUs.set(resource, atUs);
      const waitUs = atUs - this.#host.nowUs;
      this.#host.after(waitUs, () => this.#host.feed({ kind: "leased", resource, amount: granted }));
    };
    const lateUs = this.#faults.happens("leaseLate")
      ? this.#faults.details("leaseLate").integer(1_000, LEASE_LATE_MAX_US)
      : 0;
    if (this.#faults.happens("leasePart")) {
      grant(lateUs, this.#faults.details("leasePart").integer(0, amount));
      grant(lateUs + 1_000_000, amount);
    } else grant(lateUs, amount);
  }

  /** The process dies: what is not durable is lost; the group in flight may just have made it. */
  crash(): void {
    if (this.#inFlight !== null && this.#writtenAt === null && this.#chance.odds(1, 2)) this.#write(this.#inFlight);
    this.#grantedUs.clear();
    this.#appends = [];
    this.#posts = [];
    this.#inFlight = null;
    this.#isScheduled = false;
    this.#writtenAt = null;
  }

  #schedule(delayUs: number): void {
    if (this.#isScheduled || this.#inFlight !== null) return;
    this.#isScheduled = true;
    this.#host.after(delayUs, () => {
      this.#isScheduled = false;
      this.#begin({ appends: this.#appends, posts: this.#posts });
      this.#appends = [];
      this.#posts = [];
    });
  }

  #begin(group: Group): void {
    this.#inFlight = group;
    const slowUs = this.#faults.happens("commitSlow") ? this.#faults.details("commitSlow").integer(0, 3_000_000) : 0;
    this.#host.after(this.#chance.integer(500, 8_000) + slowUs, () => this.#end(group));
  }

  #end(group: Group): void {
    if (this.#faults.happens("commitRefused")) return this.#host.after(RETRY_US, () => this.#begin(group));
    this.#writtenAt ??= this.#write(group);
    if (this.#faults.happens("commitReportLost")) return this.#host.after(RETRY_US, () => this.#begin(group));
    const firstLeafIndex = this.#writtenAt;
    this.#writtenAt = null;
    this.#inFlight = null;
    if (group.appends.length > 0) {
      this.#host.feed({ kind: "appended", firstLeafIndex, requestIds: group.appends.map((each) => each.requestId) });
    }
    if (group.posts.length > 0) {
      this.#host.feed({ kind: "stored", requestIds: group.posts.map((each) => each.requestId) });
    }
    if (this.#appends.length > 0 || this.#posts.length > 0) this.#schedule(COMMIT_EVERY_US);
  }

  #write(group: Group): number {
    const firstLeafIndex = this.leaves.length;
    for (const { requestId, receipt } of group.appends) this.leaves.push({ requestId, receipt });
    for (const { posting } of group.posts) {
      assert(posting.leafIndex < this.leaves.length, `posting of leaf ${posting.leafIndex}, which does not exist`);
      // Once per leaf index: the ledger ignores what it has.
      if (!this.postings.has(posting.leafIndex)) this.postings.set(posting.leafIndex, posting);
    }
    return firstLeafIndex;
  }
}
