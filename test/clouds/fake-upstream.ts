import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** What a fake saw of one request, and how it went. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Bytes of answer given to the socket so far. */
  sentBytes: number;
  isOpen: boolean;
  /** The connection was closed from the other side before the fake had ended. */
  closedEarly: boolean;
}

/** An answer in one piece. */
export interface PlainAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** How one service speaks. */
export interface Voice {
  readonly streamType: string;
  /** The answer to a request that the service would refuse, or to one that is no completion; null for one to be answered. */
  judge(request: SeenRequest): PlainAnswer | null;
  modelOf(path: string): string;
  isStream(path: string): boolean;
  /** Events before the first content. */
  start(): Buffer;
  piece(text: string): Buffer;
  /** The events that end an answer: with usage, without it, or with what it takes at the least. */
  end(how: "usage" | "bare" | "cut"): Buffer;
  /** Something that is no content, such as a comment. */
  readonly filler: Buffer;
  readonly errorEvent: Buffer;
  readonly notJson: Buffer;
  whole(text: string, hasUsage: boolean): unknown;
  fault(status: number, message: string): PlainAnswer;
}

/** What a model that a test made up says: events of a stream, and the same whole. */
export interface Script {
  readonly events: readonly Buffer[];
  readonly whole: unknown;
}

/** A running fake. */
export interface FakeUpstream {
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  /** Answers by the name of their model; those of the conformance suite are there without. */
  readonly scripts: Map<string, Script>;
  close(): Promise<void>;
}

type Step = Buffer | "never" | "die" | { readonly waitMs: number };

const PIECES = ["Hello", ", ", "wor", "ld", "!"];
const LARGE_PIECE = "x".repeat(16 * 1024);

function* forever(make: (count: number) => Buffer): Generator<Step> {
  for (let count = 0; ; count += 1) yield* [make(count), { waitMs: 3 }];
}

function* streamSteps(name: string, voice: Voice): Generator<Step> {
  const say = (...texts: readonly string[]): Buffer => Buffer.concat(texts.map((text) => voice.piece(text)));
  if (name === "headersOnly") return yield "never";
  if (name === "failsByEndingEmpty") return;
  if (name === "failsByNotJson") return yield voice.notJson;
  yield voice.start();
  if (name === "failsByErrorEventFirst") return yield voice.errorEvent;
  if (name === "failsBeforeContent") return yield "die";
  if (name === "commentsOnly") return yield* forever(() => voice.filler);
  if (name === "endless") return yield* forever((count) => say(`${count} `));
  if (name === "large") for (let count = 0; count < 2048; count += 1) yield say(LARGE_PIECE);
  else yield say(...PIECES.slice(0, 3));
  if (name === "stalls") return yield "never";
  if (name === "failsMidStream") return yield* [{ waitMs: 20 }, "die"] as const;
  if (name === "failsByEndingEarly") return;
  if (name === "failsByErrorEvent") return yield voice.errorEvent;
  if (name !== "large") yield say(...PIECES.slice(3));
  yield voice.end(name === "withoutUsage" ? "bare" : name === "withoutDone" ? "cut" : "usage");
}

function* wholeSteps(name: string, voice: Voice): Generator<Step> {
  if (["headersOnly", "commentsOnly", "endless"].includes(name)) return yield "never";
  if (name === "failsByEndingEmpty") return;
  if (name === "failsByNotJson") return yield Buffer.from("{nonsense");
  if (name === "failsBeforeContent") return yield* [{ waitMs: 20 }, "die"] as const;
  const text = Buffer.from(JSON.stringify(voice.whole(PIECES.join(""), name !== "withoutUsage")));
  const isHalf = name === "failsMidStream" || name === "failsByEndingEarly";
  yield isHalf ? text.subarray(0, text.length >> 1) : text;
  if (name === "failsMidStream") yield* [{ waitMs: 20 }, "die"] as const;
}

const RATE_LIMITS = { "x-ratelimit-remaining-requests": "0", "x-other": "1" };

/** The answers in one piece that stand for errors. */
function plainAnswer(name: string, voice: Voice): PlainAnswer | null {
  const fault = (status: number, headers: Readonly<Record<string, string>> = {}): PlainAnswer => {
    const told = voice.fault(status, "mock: no");
    return { ...told, headers: { ...told.headers, ...headers } };
  };
  const soon = new Date(Date.now() + 7000).toUTCString();
  if (name === "failsWith400") return fault(400);
  if (name === "failsWith401") return fault(401);
  if (name === "failsWith429Seconds") return fault(429, { ...RATE_LIMITS, "retry-after": "7" });
  if (name === "failsWith429Date") return fault(429, { ...RATE_LIMITS, "retry-after": soon });
  if (name === "failsWith500") return fault(500);
  if (name === "failsByErrorWithStatus200") return { ...fault(500), status: 200 };
  if (name === "failsByHtml") return { status: 200, headers: { "content-type": "text/html" }, body: "<html>" };
  return null;
}

async function perform(steps: Iterable<Step>, seen: SeenRequest, response: ServerResponse): Promise<void> {
  for (const step of steps) {
    if (response.destroyed || step === "never") return;
    if (step === "die") return void response.destroy();
    if (!Buffer.isBuffer(step)) {
      await sleep(step.waitMs);
      continue;
    }
    seen.sentBytes += step.length;
    if (!response.write(step)) await drained(response);
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

function sendPlain(response: ServerResponse, { status, headers = {}, body }: PlainAnswer): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

/** Starts a fake of a service on the loopback interface. */
export async function startFake(voice: Voice): Promise<FakeUpstream> {
  const requests: SeenRequest[] = [];
  const scripts = new Map<string, Script>();
  const server = createServer((incoming, response) => {
    void bodyOf(incoming).then((body) => {
      const { method = "", url: path = "", headers } = incoming;
      const seen: SeenRequest = { method, path, headers, body, sentBytes: 0, isOpen: true, closedEarly: false };
      requests.push(seen);
      response.on("close", () => {
        seen.isOpen = false;
        seen.closedEarly = !response.writableFinished;
      });
      return answer(voice, { seen, response, scripts });
    });
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    scripts,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  voice: Voice,
  of: { readonly seen: SeenRequest; readonly response: ServerResponse; readonly scripts: ReadonlyMap<string, Script> },
): Promise<void> {
  const { seen, response, scripts } = of;
  const judged = voice.judge(seen);
  if (judged !== null) return sendPlain(response, judged);
  const name = voice.modelOf(seen.path);
  if (name === "silent") return;
  if (name === "failsBeforeHeaders") return void response.destroy();
  const plain = plainAnswer(name, voice);
  if (plain !== null) return sendPlain(response, plain);
  const isStream = voice.isStream(seen.path);
  const script = scripts.get(name);
  const scripted = script === undefined ? null : isStream ? script.events : [Buffer.from(JSON.stringify(script.whole))];
  response.writeHead(200, { "content-type": isStream ? voice.streamType : "application/json" });
  response.flushHeaders();
  await perform(scripted ?? (isStream ? streamSteps(name, voice) : wholeSteps(name, voice)), seen, response);
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
