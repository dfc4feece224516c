import { randomInt } from "node:crypto";
import { integerOption, type Invocation, textOption, UsageError } from "../cli.ts";
import { ARRIVAL_KINDS, type ArrivalPlan } from "./arrivals.ts";
import type { BenchEndpoint, RequestPlan, TokenRange } from "./prompt.ts";
import type { Slo } from "./tally.ts";

/** What the command line asks for. */
export interface BenchOptions {
  readonly origin: string;
  /** The path up to and including `/v1`, or what stands in its place. */
  readonly basePath: string;
  /** Null: the endpoint is asked. */
  readonly model: string | null;
  readonly key: string | null;
  readonly class: string | null;
  readonly requests: Omit<RequestPlan, "model">;
  readonly arrivals: ArrivalPlan;
  readonly slo: Slo;
  readonly failUnderGoodput: number | null;
  readonly maxInFlight: number;
  readonly timeoutMs: number;
  readonly maxReceipts: number;
  readonly json: boolean;
}

const MILLION = 1_000_000;
const DAY_S = 86_400;
/** Members that options of their own set. */
const OWN_MEMBERS = ["model", "messages", "prompt", "stream", "stream_options"];

/** Reads the command line; throws `UsageError`. */
export function readOptions(invocation: Invocation, env: Readonly<Record<string, string | undefined>>): BenchOptions {
  const seed = textOption(invocation, "seed") ?? String(randomInt(MILLION));
  const requests = readRequests(invocation, seed);
  const slo = readSlo(invocation, requests.stream);
  const failUnderGoodput = numberOption(invocation, "fail-under-goodput", { low: 0, high: MILLION });
  if (failUnderGoodput !== null && slo.ttftMs === null && slo.tpotMs === null && slo.e2eMs === null)
    throw new UsageError("--fail-under-goodput needs an objective: --slo-ttft-ms, --slo-tpot-ms or --slo-e2e-ms");
  return {
    ...readUrl(invocation),
    model: textOption(invocation, "model"),
    key: readKey(invocation, env),
    class: headerText(invocation, "class"),
    requests,
    arrivals: readArrivals(invocation, seed),
    slo,
    failUnderGoodput,
    maxInFlight: integerOption(invocation, "max-in-flight", { low: 1, high: 60_000 }) ?? 4096,
    timeoutMs: (numberOption(invocation, "timeout", { low: 0.1, high: DAY_S }) ?? 600) * 1000,
    maxReceipts: integerOption(invocation, "receipts", { low: 0, high: MILLION }) ?? 10_000,
    json: invocation.values["json"] === true,
  };
}

function readUrl(invocation: Invocation): { readonly origin: string; readonly basePath: string } {
  const [text, more] = invocation.positionals;
  if (text === undefined || more !== undefined)
    throw new UsageError("bench takes one URL, such as http://127.0.0.1:8080. See `baseload bench --help`.");
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new UsageError(`${JSON.stringify(text)} is not an http or https URL`);
  if (url.username !== "" || url.password !== "")
    throw new UsageError(
      "The URL holds a name or password, which others can see in the list of processes: use --key-env.",
    );
  if (url.search !== "" || url.hash !== "") throw new UsageError("The URL may have no query and no fragment.");
  const path = url.pathname.replace(/\/+$/, "").replace(/\/(?:chat\/)?completions$/, "");
  return { origin: url.origin, basePath: path === "" ? "/v1" : path };
}

function readRequests(invocation: Invocation, seed: string): Omit<RequestPlan, "model"> {
  if (invocation.values["stream"] === true && invocation.values["no-stream"] === true)
    throw new UsageError("--stream and --no-stream exclude each other");
  const promptTokens = rangeOption(invocation, "prompt-tokens") ?? { low: 128, high: 128 };
  const sharedPrefixTokens = integerOption(invocation, "shared-prefix-tokens", { low: 0, high: promptTokens.low }) ?? 0;
  return {
    endpoint: choiceOption<BenchEndpoint>(invocation, "endpoint", ["chat", "completions"]) ?? "chat",
    stream: invocation.values["no-stream"] !== true,
    promptTokens,
    outputTokens: rangeOption(invocation, "output-tokens") ?? { low: 64, high: 64 },
    sharedPrefixTokens,
    outputMember: textOption(invocation, "output-member") ?? "max_tokens",
    body: bodyOption(invocation),
    seed,
  };
}

function readArrivals(invocation: Invocation, seed: string): ArrivalPlan {
  const kind = choiceOption(invocation, "arrivals", ARRIVAL_KINDS) ?? "poisson";
  for (const [option, its] of [
    ["cv", "gamma"],
    ["burst", "burst"],
  ] as const) {
    if (invocation.values[option] !== undefined && kind !== its)
      throw new UsageError(`--${option} is for --arrivals ${its}, and the arrivals are ${kind}`);
  }
  const seconds = numberOption(invocation, "duration", { low: 0.001, high: DAY_S });
  const requests = integerOption(invocation, "requests", { low: 1, high: 100 * MILLION });
  return {
    kind,
    ratePerSecond: numberOption(invocation, "rate", { low: 0.001, high: 100_000 }) ?? 1,
    cv: numberOption(invocation, "cv", { low: 0.05, high: 20 }) ?? 2,
    burst: integerOption(invocation, "burst", { low: 1, high: 60_000 }) ?? 10,
    requests: requests ?? (seconds === null ? 30 : null),
    durationMs: seconds === null ? null : seconds * 1000,
    seed,
  };
}

function readSlo(invocation: Invocation, stream: boolean): Slo {
  const limit = (name: string): number | null => numberOption(invocation, name, { low: 0.001, high: DAY_S * 1000 });
  const slo = { ttftMs: limit("slo-ttft-ms"), tpotMs: limit("slo-tpot-ms"), e2eMs: limit("slo-e2e-ms") };
  if (!stream && (slo.ttftMs !== null || slo.tpotMs !== null))
    throw new UsageError(
      "Without a stream only the whole answer's time is seen: use --slo-e2e-ms, or leave --no-stream out.",
    );
  return slo;
}

function readKey(invocation: Invocation, env: Readonly<Record<string, string | undefined>>): string | null {
  const name = textOption(invocation, "key-env");
  if (name === null) return null;
  const key = env[name];
  if (key === undefined || key === "") throw new UsageError(`--key-env names ${name}, which is not set`);
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new UsageError(`${name} does not hold a key: a space or special character is in it`);
  return key;
}

function headerText(invocation: Invocation, name: string): string | null {
  const text = textOption(invocation, name);
  if (text !== null && !/^[\x21-\x7e]+$/.test(text)) throw new UsageError(`--${name} takes visible characters only`);
  return text;
}

function numberOption(
  invocation: Invocation,
  name: string,
  range: { readonly low: number; readonly high: number },
): number | null {
  const text = textOption(invocation, name);
  if (text === null) return null;
  const value = Number(text);
  if (!/^\d*\.?\d+$/.test(text) || value < range.low || value > range.high)
    throw new UsageError(`--${name} takes a number from ${range.low} to ${range.high}, not ${JSON.stringify(text)}`);
  return value;
}

function rangeOption(invocation: Invocation, name: string): TokenRange | null {
  const text = textOption(invocation, name);
  if (text === null) return null;
  const [, first, second] = /^(\d{1,7})(?:\.\.(\d{1,7}))?$/.exec(text) ?? [];
  const low = Number(first);
  const high = Number(second ?? first);
  if (first === undefined || low < 1 || high < low || high > MILLION)
    throw new UsageError(`--${name} takes N or N..M, such as 128 or 64..256, not ${JSON.stringify(text)}`);
  return { low, high };
}

function choiceOption<T extends string>(invocation: Invocation, name: string, choices: readonly T[]): T | null {
  const text = textOption(invocation, name);
  if (text === null) return null;
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw new UsageError(`--${name} takes ${choices.join(", ")}, not ${JSON.stringify(text)}`);
  return found;
}

function bodyOption(invocation: Invocation): Readonly<Record<string, unknown>> {
  const text = textOption(invocation, "body");
  if (text === null) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UsageError("--body is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new UsageError("--body is not a JSON object");
  const own = [...OWN_MEMBERS, textOption(invocation, "output-member") ?? "max_tokens"].find((name) => name in value);
  if (own !== undefined) throw new UsageError(`--body may not hold ${own}, which has an option of its own`);
  return value as Readonly<Record<string, unknown>>;
}
