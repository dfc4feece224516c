import type { Figure, Receipt } from "../../base/receipt.ts";
import { Samples, type Summary } from "./samples.ts";

/** A receipt's figure summed over the receipts that know it and the output tokens; `low` and `high` are sums of its bounds. */
export interface FigureTotal {
  readonly known: number;
  readonly unknown: number;
  /** Null when no receipt knows it: unknown is never zero. */
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
  /** How many receipts came by it in which way. */
  readonly methods: Readonly<Record<string, number>>;
  /** Output tokens of the receipts summed here, and those of them that met the objective (null without an objective). */
  readonly outputTokens: number;
  readonly usefulTokens: number | null;
}

/** The receipts of one backend at one site, or of all. */
export interface ReceiptGroup {
  /** Null in the group of all, and for receipts of requests that no backend took. */
  readonly backend: string | null;
  readonly site: string | null;
  readonly layer: string | null;
  readonly receipts: number;
  readonly completed: number;
  readonly queueMs: Summary | null;
  readonly energyMilliJoules: FigureTotal;
  readonly costNanoUsd: FigureTotal;
  readonly carbonMicrograms: FigureTotal;
}

/** Sums receipts, all together and by backend, site and layer. */
export class ReceiptTotals {
  readonly #hasSlo: boolean;
  readonly #all: Group;
  readonly #groups = new Map<string, Group>();

  constructor(hasSlo: boolean) {
    this.#hasSlo = hasSlo;
    this.#all = new Group({ backend: null, site: null, layer: null });
  }

  /** `useful` says whether the request met its objective as the client saw it. */
  add(receipt: Receipt, useful: boolean): void {
    const { backendId: backend, site, layer } = receipt;
    const key = JSON.stringify([backend, site, layer]);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = new Group({ backend, site, layer });
      this.#groups.set(key, group);
    }
    group.add(receipt, useful);
    this.#all.add(receipt, useful);
  }

  all(): ReceiptGroup {
    return this.#all.total(this.#hasSlo);
  }

  /** The largest group first. */
  groups(): readonly ReceiptGroup[] {
    const groups = Array.from(this.#groups.values(), (group) => group.total(this.#hasSlo));
    return groups.toSorted((a, b) => b.receipts - a.receipts);
  }
}

type Place = Pick<ReceiptGroup, "backend" | "site" | "layer">;

class Group {
  readonly #place: Place;
  readonly #queueMs = new Samples();
  readonly #energy = new Sum();
  readonly #cost = new Sum();
  readonly #carbon = new Sum();
  #receipts = 0;
  #completed = 0;

  constructor(place: Place) {
    this.#place = place;
  }

  add(receipt: Receipt, useful: boolean): void {
    this.#receipts += 1;
    if (receipt.outcome === "completed") this.#completed += 1;
    const queueUs = receipt.time.queueUs.value;
    if (queueUs !== null) this.#queueMs.add(queueUs / 1000);
    const output = receipt.tokens.output.value;
    this.#energy.add(receipt.energyMilliJoules, output, useful);
    this.#cost.add(receipt.costNanoUsd, output, useful);
    this.#carbon.add(receipt.carbonMicrograms, output, useful);
  }

  total(hasSlo: boolean): ReceiptGroup {
    return {
      ...this.#place,
      receipts: this.#receipts,
      completed: this.#completed,
      queueMs: this.#queueMs.summary(),
      energyMilliJoules: this.#energy.total(hasSlo),
      costNanoUsd: this.#cost.total(hasSlo),
      carbonMicrograms: this.#carbon.total(hasSlo),
    };
  }
}

class Sum {
  #known = 0;
  #unknown = 0;
  #value = 0;
  #low = 0;
  #high = 0;
  #bounded = true;
  #output = 0;
  #useful = 0;
  readonly #methods: Record<string, number> = {};

  /** A ratio needs both sides of the same receipt, so one that lacks the figure or the tokens is in neither. */
  add(figure: Figure, outputTokens: number | null, useful: boolean): void {
    if (figure.value === null || outputTokens === null) {
      this.#unknown += 1;
      return;
    }
    this.#known += 1;
    this.#value += figure.value;
    this.#low += figure.low ?? 0;
    this.#high += figure.high ?? 0;
    this.#bounded &&= figure.low !== null && figure.high !== null;
    this.#output += outputTokens;
    if (useful) this.#useful += outputTokens;
    this.#methods[figure.method] = (this.#methods[figure.method] ?? 0) + 1;
  }

  total(hasSlo: boolean): FigureTotal {
    const some = this.#known > 0;
    return {
      known: this.#known,
      unknown: this.#unknown,
      value: some ? this.#value : null,
      low: some && this.#bounded ? this.#low : null,
      high: some && this.#bounded ? this.#high : null,
      methods: { ...this.#methods },
      outputTokens: this.#output,
      usefulTokens: hasSlo ? this.#useful : null,
    };
  }
}
