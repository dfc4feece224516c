import { assert } from "../base/assert.ts";
import { Digest, digestOf } from "../base/hash.ts";
import type { Receipt } from "../base/receipt.ts";
import type { Command } from "./command.ts";
import type { Event } from "./event.ts";
import { Kernel } from "./kernel.ts";
import type { Snapshot } from "./snapshot.ts";

/** The journal's format; raised when a reader of the old one could misread the new one. */
export const JOURNAL_VERSION = 2;

/** Version of what the kernel decides; raised with every change by which the same events may give other commands. */
export const KERNEL_VERSION = "4";

const DIGEST_EVERY_EVENTS = 1000;
const SNAPSHOT_EVERY_EVENTS = 10_000;

/** First line of a journal. */
export interface JournalHeader {
  readonly journal: number;
  readonly kernel: string;
  /** Digest of the first configuration. */
  readonly config: string;
  readonly seed: string;
}

/** Digest of all commands so far, after this many events. */
export interface JournalDigest {
  readonly events: number;
  readonly digest: string;
}

/** The kernel's state after this many events, with the running digest's own. */
export interface JournalSnapshot {
  readonly events: number;
  readonly digestState: readonly [number, number];
  readonly snapshot: Snapshot;
}

/** One line of a journal. */
export type JournalLine = JournalHeader | JournalDigest | JournalSnapshot | readonly [number, Event];

/**
 * Turns the events of one kernel and the commands they gave into lines of JSON. Owned by whoever drives the kernel; it
 * writes nothing itself.
 */
export class JournalWriter {
  readonly #digest = new Digest();
  readonly #print: (receipt: Receipt) => string;
  #events = 0;

  /** `print` gives a receipt's JSON. */
  constructor(print: (receipt: Receipt) => string = JSON.stringify) {
    this.#print = print;
  }

  /** The lines (each ending in a newline) for one event; `kernel` must have taken it already. */
  lines(
    nowUs: number,
    event: Event,
    after: { readonly commands: readonly Command[]; readonly kernel: Kernel },
  ): string {
    let text = "";
    if (this.#events === 0) {
      assert(event.kind === "configured", "a journal begins with `configured`");
      text = line({
        journal: JOURNAL_VERSION,
        kernel: KERNEL_VERSION,
        config: digestOf(JSON.stringify(event.config)),
        seed: event.seed,
      });
    }
    text += line([nowUs, event]);
    this.#events += 1;
    addCommands(this.#digest, after.commands, this.#print);
    if (this.#events % DIGEST_EVERY_EVENTS === 0) text += this.digestLine();
    if (this.#events % SNAPSHOT_EVERY_EVENTS === 0) {
      text += line({
        events: this.#events,
        digestState: this.#digest.state(),
        snapshot: after.kernel.snapshot(),
      });
    }
    return text;
  }

  /** A digest line for now; also the last line of a journal that was closed in order. */
  digestLine(): string {
    return line({ events: this.#events, digest: this.#digest.hex() });
  }
}

/**
 * Adds the commands of one event. A receipt goes in as its own text, which is also what the store keeps, so that it need not be
 * printed for each of them; the empty text ends the event.
 */
function addCommands(digest: Digest, commands: readonly Command[], print: (receipt: Receipt) => string): void {
  for (const command of commands) {
    digest.add(command.kind === "append" ? print(command.receipt) : JSON.stringify(command));
  }
  digest.add("");
}

function line(value: JournalLine): string {
  return `${JSON.stringify(value)}\n`;
}

/** What an exact replay found. */
export interface ReplayResult {
  readonly events: number;
  readonly commands: number;
  readonly digest: string;
  /** Digests and snapshots compared, all of them equal unless `mismatch` is set. */
  readonly compared: number;
  /** Events after the last digest: recorded, replayed, but with nothing to compare to. */
  readonly unchecked: number;
  /** The first difference in words, or null. */
  readonly mismatch: string | null;
}

/**
 * Feeds recorded events to a new kernel and compares its commands with the recorded digests. Owned by one replay. Lines that
 * are not of a journal are an error of the caller's to report; this throws.
 */
export class Replayer {
  #kernel = new Kernel();
  #digest = new Digest();
  #events = 0;
  #commands = 0;
  #compared = 0;
  #agreedAt = 0;
  #sawHeader = false;
  #mismatch: string | null = null;

  /** `onCommands` sees each event's commands, for whoever wants to look. */
  readonly #onCommands: (nowUs: number, event: Event, commands: readonly Command[]) => void;

  constructor(onCommands: (nowUs: number, event: Event, commands: readonly Command[]) => void = () => {}) {
    this.#onCommands = onCommands;
  }

  /** Takes one line without its newline. Returns false once a difference was found. */
  take(text: string): boolean {
    const value = JSON.parse(text) as JournalLine;
    if (Array.isArray(value)) {
      this.#feed(value as readonly [number, Event]);
    } else if ("journal" in value) {
      this.#begin(value);
    } else if ("digest" in value) {
      this.#compare(value.events, value.digest);
    } else if ("snapshot" in value) {
      this.#compareSnapshot(value);
    } else {
      throw new Error("this line is not of a journal");
    }
    return this.#mismatch === null;
  }

  result(): ReplayResult {
    return {
      events: this.#events,
      commands: this.#commands,
      digest: this.#digest.hex(),
      compared: this.#compared,
      unchecked: this.#events - this.#agreedAt,
      mismatch: this.#mismatch,
    };
  }

  #begin(header: JournalHeader): void {
    this.#sawHeader = true;
    if (header.journal !== JOURNAL_VERSION)
      throw new Error(`journal format ${header.journal} is not ${JOURNAL_VERSION}`);
    if (header.kernel !== KERNEL_VERSION) {
      this.#mismatch = `recorded by kernel ${header.kernel}, this one is ${KERNEL_VERSION}: its commands may differ`;
    }
  }

  #feed([nowUs, event]: readonly [number, Event]): void {
    if (!this.#sawHeader) throw new Error("the journal has no header line");
    const commands = this.#kernel.step(nowUs, event);
    this.#events += 1;
    this.#commands += commands.length;
    addCommands(this.#digest, commands, JSON.stringify);
    this.#onCommands(nowUs, event, commands);
  }

  #compare(events: number, digest: string): void {
    if (events !== this.#events) throw new Error(`a digest of ${events} events stands after event ${this.#events}`);
    this.#compared += 1;
    if (digest === this.#digest.hex()) this.#agreedAt = this.#events;
    else this.#mismatch = `the commands differ somewhere in events ${this.#agreedAt + 1} to ${events}`;
  }

  /** A replay may also begin at a snapshot: `Replayer.from`. Met on the way, it is compared. */
  #compareSnapshot(value: JournalSnapshot): void {
    this.#compared += 1;
    const recorded = JSON.stringify(value.snapshot);
    if (recorded !== JSON.stringify(this.#kernel.snapshot())) {
      this.#mismatch = `the state differs after event ${value.events}`;
    }
  }

  /** A replayer that goes on from a journal's snapshot line, for the lines after it. */
  static from(value: JournalSnapshot): Replayer {
    const replayer = new Replayer();
    replayer.#kernel = Kernel.restore(value.snapshot);
    replayer.#digest = Digest.from(value.digestState);
    replayer.#events = value.events;
    replayer.#agreedAt = value.events;
    replayer.#sawHeader = true;
    return replayer;
  }
}
