import { VERSION } from "../version.ts";
import type { Invocation } from "../cli.ts";
import { UsageError } from "../cli.ts";
import { Arrivals } from "./arrivals.ts";
import { Load } from "./load.ts";
import { listModels, readReceipts } from "./lookups.ts";
import { count } from "./numbers.ts";
import { type BenchOptions, readOptions } from "./options.ts";
import { printReport } from "./print.ts";
import { loadLine, Progress } from "./progress.ts";
import { Prompts } from "./prompt.ts";
import { ReceiptSample } from "./receipt-sample.ts";
import { ReceiptTotals } from "./receipt-totals.ts";
import { type BenchReport, type Findings, reportOf } from "./report.ts";
import { Tally } from "./tally.ts";

export { BENCH } from "./spec.ts";

const NARROWEST = 60;
const WIDEST = 110;
const USUAL_WIDTH = 80;
const MODELS_NAMED = 20;
/** A launcher may hand on the terminal's signal a second time; a person takes longer. */
const SAME_SIGNAL_MS = 500;

/** Runs a load and reports; exit status 1 when no request completed or goodput was under what was asked. */
export async function runBench(invocation: Invocation): Promise<number> {
  const options = readOptions(invocation, process.env);
  const model = options.model ?? (await onlyModel(options));
  if (options.model !== null) await listModels(options);
  const tally = new Tally(options.slo);
  const findings = await perform({ options, model, tally });
  const report = reportOf(findings);
  const drawn = { ttft: tally.ttft.sorted(), e2e: tally.e2e.sorted() };
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : printReport(report, drawn, terminal()));
  return exitStatus(report, options);
}

async function onlyModel(options: BenchOptions): Promise<string> {
  const names = await listModels(options);
  const [name] = names ?? [];
  if (name === undefined) throw new UsageError("The endpoint lists no models: name one with --model.");
  if (names?.length === 1) return name;
  const some = names?.slice(0, MODELS_NAMED).join(", ");
  throw new UsageError(`The endpoint has several models, name one with --model: ${some}`);
}

interface Job {
  readonly options: BenchOptions;
  readonly model: string;
  readonly tally: Tally;
}

/** The load, then the receipts. */
async function perform({ options, model, tally }: Job): Promise<Findings> {
  const { arrivals: plan, requests } = options;
  const arrivals = new Arrivals(plan);
  const sample = new ReceiptSample(options.maxReceipts, plan.seed);
  const load = new Load({
    target: { ...options, endpoint: requests.endpoint, stream: requests.stream, headers: headersOf(options) },
    arrivals,
    prompts: new Prompts({ ...requests, model }),
    tally,
    receipts: sample,
    maxInFlight: options.maxInFlight,
    timeoutMs: options.timeoutMs,
  });
  const progress = new Progress(process.stderr);
  const startedWallMs = Date.now();
  progress.start(() => loadLine(load, tally));
  const letGo = onSignal(() => {
    progress.say("Ending early: what was seen is reported. Press Ctrl-C again to end now.");
    load.stop();
  });
  await load.run();
  letGo();
  progress.stop();
  return {
    options,
    model,
    startedWallMs,
    interrupted: load.interrupted,
    // Not what was drawn: when a run is ended early, the last time drawn had not come.
    scheduled: load.sent + tally.notSent,
    spanMs: arrivals.spanMs,
    elapsedMs: load.elapsedMs,
    connectionsOpened: load.connectionsOpened,
    tally,
    receipts: sample.offered === 0 ? null : await gather(options, sample, { progress, tally }),
  };
}

async function gather(
  options: BenchOptions,
  sample: ReceiptSample,
  { progress, tally }: { readonly progress: Progress; readonly tally: Tally },
): Promise<Findings["receipts"]> {
  const totals = new ReceiptTotals(tally.hasSlo);
  const ended = new AbortController();
  const letGo = onSignal(() => ended.abort());
  let done = 0;
  progress.start(() => `reading receipts: ${count(done)} of ${count(sample.notes.length)}`);
  const read = await readReceipts(options, sample.notes, {
    totals,
    signal: ended.signal,
    progress: (now) => (done = now),
  });
  progress.stop();
  letGo();
  return { ...read, offered: sample.offered, totals };
}

/** Calls `act` at the first signal to end, and ends the process at the next; the answer undoes this. */
function onSignal(act: () => void): () => void {
  let firstMs: number | null = null;
  const handle = (): void => {
    if (firstMs === null) {
      firstMs = performance.now();
      act();
    } else if (performance.now() - firstMs > SAME_SIGNAL_MS) process.exit(130);
  };
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  return () => {
    process.off("SIGINT", handle);
    process.off("SIGTERM", handle);
  };
}

function headersOf({ key, class: name }: BenchOptions): readonly string[] {
  const headers = [
    "content-type",
    "application/json",
    "accept-encoding",
    "identity",
    "user-agent",
    `baseload-bench/${VERSION}`,
  ];
  if (key !== null) headers.push("authorization", `Bearer ${key}`);
  if (name !== null) headers.push("x-baseload-class", name);
  return headers;
}

function terminal(): { readonly width: number; readonly colour: boolean } {
  const width = Math.min(WIDEST, Math.max(NARROWEST, process.stdout.columns ?? USUAL_WIDTH));
  const { NO_COLOR: refused = "", TERM: kind } = process.env;
  return { width, colour: process.stdout.isTTY === true && refused === "" && kind !== "dumb" };
}

function exitStatus(report: BenchReport, { failUnderGoodput }: BenchOptions): number {
  if (report.requests.completed === 0) {
    process.stderr.write("baseload: no request completed\n");
    return 1;
  }
  const goodput = report.goodput?.requestsPerSecond ?? 0;
  if (failUnderGoodput === null || goodput >= failUnderGoodput) return 0;
  process.stderr.write(`baseload: goodput was ${goodput.toFixed(3)}/s, under the ${failUnderGoodput}/s asked for\n`);
  return 1;
}
