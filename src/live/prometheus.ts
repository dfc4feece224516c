/** A metric in Prometheus' text exposition format, version 0.0.4. */
export interface Metric {
  text(): string;
}

/** Label names and values, in a fixed order. */
export type Labels = Readonly<Record<string, string>>;

function printLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function head(of: { readonly name: string; readonly help: string; readonly type: string }): string {
  return `# HELP ${of.name} ${of.help}\n# TYPE ${of.name} ${of.type}\n`;
}

// A child is found by its label values alone, since one metric's label names never change; they are printed at the scrape only,
// because printing them at every request cost more than deciding it.
function keyOf(labels: Labels): string {
  let key = "";
  for (const name in labels) key += `${labels[name] ?? ""}\n`;
  return key;
}

/** One child of a series. Whoever holds it may change its value. */
export interface Sample {
  readonly labels: Labels;
  value: number;
}

/** A counter or gauge by labels. Owned by a `Metrics`. */
export class Series implements Metric {
  readonly #name: string;
  readonly #help: string;
  readonly #type: "counter" | "gauge";
  readonly #children = new Map<string, Sample>();

  constructor(type: "counter" | "gauge", name: string, help: string) {
    this.#type = type;
    this.#name = name;
    this.#help = help;
  }

  add(labels: Labels, amount = 1): void {
    this.child(labels).value += amount;
  }

  /** The child with these labels, for a counter that is added to often: finding it costs more than adding. */
  child(labels: Labels): Sample {
    const key = keyOf(labels);
    let child = this.#children.get(key);
    if (child === undefined) this.#children.set(key, (child = { labels, value: 0 }));
    return child;
  }

  set(labels: Labels, value: number): void {
    this.#children.set(keyOf(labels), { labels, value });
  }

  /** Forgets all children, for a gauge whose labels come and go. */
  clear(): void {
    this.#children.clear();
  }

  text(): string {
    let text = head({ name: this.#name, help: this.#help, type: this.#type });
    for (const { labels, value } of this.#children.values()) {
      text += `${this.#name}${printLabels(labels)} ${value}\n`;
    }
    return text;
  }
}

interface Distribution {
  readonly labels: Labels;
  /** Observations in each bucket alone; the last one is for what is over every bound. */
  readonly counts: number[];
  sum: number;
}

/** A histogram by labels, with fixed upper bounds. Owned by a `Metrics`. */
export class Distributions implements Metric {
  readonly #name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  readonly #children = new Map<string, Distribution>();

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name;
    this.#help = help;
    this.#bounds = bounds;
  }

  observe(labels: Labels, value: number): void {
    const key = keyOf(labels);
    let child = this.#children.get(key);
    if (child === undefined) {
      child = { labels, counts: Array.from({ length: this.#bounds.length + 1 }, () => 0), sum: 0 };
      this.#children.set(key, child);
    }
    let bucket = 0;
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] as number)) bucket += 1;
    child.counts[bucket] = (child.counts[bucket] ?? 0) + 1;
    child.sum += value;
  }

  text(): string {
    let text = head({ name: this.#name, help: this.#help, type: "histogram" });
    for (const child of this.#children.values()) {
      const key = printLabels(child.labels);
      let total = 0;
      child.counts.forEach((count, bucket) => {
        total += count;
        const le = bucket < this.#bounds.length ? String(this.#bounds[bucket]) : "+Inf";
        text += `${this.#name}_bucket${printLabels({ ...child.labels, le })} ${total}\n`;
      });
      text += `${this.#name}_sum${key} ${child.sum}\n${this.#name}_count${key} ${total}\n`;
    }
    return text;
  }
}
