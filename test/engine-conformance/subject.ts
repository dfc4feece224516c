import type { Engine, EngineCall, EngineReport, SendOrder, Watch } from "../../src/ports/engine.ts";
import { RecordingSink } from "./recording-sink.ts";

/** What is asked of an engine to bring a behaviour about. */
export interface Ask {
  readonly model: string;
  /** Members of the body besides model, stream and the prompt. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** A behaviour that this engine does not have, and why. */
export interface Skip {
  readonly skip: string;
}

/** What the suite needs an engine to do. Those whose name begins with `fails` end in a failure. */
export type CaseName =
  /** A short complete answer of several pieces, with usage. */
  | "complete"
  /** An answer that goes on until it is stopped. */
  | "endless"
  /** An answer too large for the buffers between upstream and client. */
  | "large"
  /** Content is the body that the upstream received. */
  | "echo"
  /** Complete, but without usage; and complete without `[DONE]`. */
  | "withoutUsage"
  | "withoutDone"
  /** Never answers; answers with headers only; then with comments only; falls silent after three pieces. */
  | "silent"
  | "headersOnly"
  | "commentsOnly"
  | "stalls"
  | FailureName;

/** Failures of the upstream's own making. */
export type FailureName =
  | "failsBeforeHeaders"
  | "failsBeforeContent"
  | "failsMidStream"
  | "failsByEndingEarly"
  | "failsByEndingEmpty"
  | "failsByErrorEvent"
  | "failsByErrorEventFirst"
  | "failsByNotJson"
  | "failsByHtml"
  | "failsByErrorWithStatus200"
  | "failsWith400"
  | "failsWith401"
  | "failsWith429Seconds"
  | "failsWith429Date"
  | "failsWith500";

/** One engine under test. */
export interface Subject {
  readonly engine: Engine;
  /** Whether the request of this client request id is still being answered upstream. */
  isBusyUpstream(clientRequestId: string): Promise<boolean>;
  /** Bytes that the upstream has written for it, or null when that cannot be known. */
  sentBytes(clientRequestId: string): number | null;
  close(): Promise<void>;
}

/** An engine and what it can be made to do. */
export interface ConformanceOptions {
  readonly name: string;
  readonly make: () => Promise<Subject>;
  readonly models: Readonly<Record<CaseName, Ask | Skip>>;
  /** An engine whose upstream is not there. */
  readonly unreachable: () => Engine;
  /** An engine whose connections never stand. */
  readonly unconnectable: (() => Promise<Subject>) | Skip;
  /** An engine that takes whole answers of at most so many bytes. */
  readonly limited: ((maxAnswerBytes: number) => Promise<Subject>) | Skip;
  /** Why it has no text completions, where it has none. */
  readonly completions?: Skip;
  /** What `probe` says while it is up. */
  readonly report: EngineReport;
}

/** How a group of checks registers itself. */
export interface Checks {
  readonly options: ConformanceOptions;
  /** The engine that the checks share. */
  readonly subject: () => Subject;
  /** A check that needs the engine to do something; skipped with the engine's reason where it cannot. */
  readonly on: (name: CaseName, title: string, check: (ask: Ask) => Promise<void>) => void;
}

/** Whether this is a reason and no behaviour. */
export function isSkip(value: object): value is Skip {
  return "skip" in value;
}

/** A watch that nothing in a working test runs into. */
export const PATIENT: Watch = {
  connectMs: 20_000,
  headersMs: 20_000,
  firstMs: 20_000,
  idleMs: 20_000,
  totalMs: 30_000,
  progressEveryTokens: 2,
};

/** How a send differs from a chat stream that does not ask for usage. */
export interface Change {
  readonly stream?: boolean;
  readonly endpoint?: SendOrder["endpoint"];
  readonly wantsUsage?: boolean;
  readonly watch?: Partial<Watch>;
  readonly edits?: Partial<SendOrder["edits"]>;
  readonly body?: Buffer;
  readonly headers?: SendOrder["headers"];
  readonly sink?: RecordingSink;
}

/** A send under way. */
export interface Sent {
  readonly sink: RecordingSink;
  readonly call: EngineCall;
  readonly order: SendOrder;
}

let sends = 0;

/** The order of an ask. */
export function orderOf(ask: Ask, change: Change = {}): SendOrder {
  sends += 1;
  const { stream = true, endpoint = "chat", wantsUsage = false } = change;
  const prompt = endpoint === "chat" ? { messages: [{ role: "user", content: "Hello" }] } : { prompt: "Hello" };
  const usage = wantsUsage ? { stream_options: { include_usage: true } } : {};
  const body = Buffer.from(JSON.stringify({ model: ask.model, stream, ...usage, ...prompt, ...ask.more }));
  return {
    requestId: `conformance-${sends}`,
    attempt: 1,
    endpoint,
    stream,
    wantsUsage,
    body: change.body ?? body,
    edits: { model: null, forceUsage: false, ...change.edits },
    watch: { ...PATIENT, ...change.watch },
    clientRequestId: `conformance-${sends}`,
    headers: change.headers ?? {},
  };
}

/** Sends an ask and records what comes. */
export function send(engine: Engine, ask: Ask, change: Change = {}): Sent {
  const order = orderOf(ask, change);
  const sink = change.sink ?? new RecordingSink();
  return { sink, order, call: engine.send(order, sink) };
}
