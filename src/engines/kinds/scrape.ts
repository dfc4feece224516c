import { type MetricSample, parseExposition } from "../../wire/exposition.ts";

/** Whether a sample is one of those that count. */
export type SampleFilter = (sample: MetricSample) => boolean;

const ALL: SampleFilter = () => true;

/**
 * The metrics of one scrape by name. Each question takes the names that a figure has had, the present one first; the first that
 * is there answers. Values that are not finite or below zero are left out, as if the engine had not said them.
 */
export class Scrape {
  readonly #byName = new Map<string, MetricSample[]>();

  constructor(samples: readonly MetricSample[]) {
    for (const sample of samples) {
      if (!Number.isFinite(sample.value) || sample.value < 0) continue;
      const same = this.#byName.get(sample.name);
      if (same === undefined) this.#byName.set(sample.name, [sample]);
      else same.push(sample);
    }
  }

  /** A scrape of this text, or one that says nothing when it is none. */
  static of(text: string | null): Scrape {
    return new Scrape(text === null ? [] : (parseExposition(text) ?? []));
  }

  /** Whether any metric's name begins so. */
  speaks(prefix: string): boolean {
    for (const name of this.#byName.keys()) if (name.startsWith(prefix)) return true;
    return false;
  }

  samples(names: readonly string[], filter: SampleFilter = ALL): readonly MetricSample[] {
    for (const name of names) {
      const found = (this.#byName.get(name) ?? []).filter(filter);
      if (found.length > 0) return found;
    }
    return [];
  }

  /** The sum over all label sets, or null when there is none. */
  sum(names: readonly string[], filter: SampleFilter = ALL): number | null {
    const found = this.samples(names, filter);
    return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0);
  }

  /** The mean over all label sets, or null when there is none. */
  mean(names: readonly string[], filter: SampleFilter = ALL): number | null {
    const found = this.samples(names, filter);
    return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0) / found.length;
  }

  /** The greatest value, or null when there is none. */
  max(names: readonly string[], filter: SampleFilter = ALL): number | null {
    const found = this.samples(names, filter);
    return found.length === 0 ? null : Math.max(...found.map(({ value }) => value));
  }
}

/** A count as an integer, or null when it is none or too large to be exact. */
export function integerOf(value: number | null): number | null {
  if (value === null) return null;
  const rounded = Math.round(value);
  return Number.isSafeInteger(rounded) ? rounded : null;
}

/** A fraction from 0 to 1 in millionths; what lies outside is no fraction. */
export function millionthsOf(fraction: number | null): number | null {
  return fraction === null || fraction < 0 || fraction > 1 ? null : Math.round(fraction * 1e6);
}

/** A rate in thousandths. */
export function milliOf(rate: number | null): number | null {
  return rate === null ? null : integerOf(rate * 1e3);
}
