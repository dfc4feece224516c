import { parseArgs } from "node:util";
import { ARRANGEMENTS } from "../test/gateway-suite/arrangements.ts";
import { FEATURES } from "../test/gateway-suite/check.ts";
import type { Check, Feature } from "../test/gateway-suite/check.ts";
import { Exchange } from "../test/gateway-suite/client.ts";
import { checks, contextOf, skipReason } from "../test/gateway-suite/suite.ts";
import type { GatewayUnderTest } from "../test/gateway-suite/suite.ts";
import { FullPort } from "../test/scenarios/lib/full-port.ts";
import { MOCK_MODELS } from "../test/upstream/behaviours.ts";
import { connectMock, startMock } from "../test/upstream/mock-upstream.ts";
import type { MockHandle } from "../test/upstream/mock-upstream.ts";

const HELP = `usage: node scripts/behaviours.ts --base-url URL --mock-port PORT [options]

Runs the gateway behaviours against any gateway that speaks OpenAI's API.

Setting up the gateway:
  1. Give it one OpenAI-compatible upstream, http://127.0.0.1:PORT/v1, with any key.
  2. Let it serve the mock's models under their own names (or a prefix; see --model-prefix):
     ${wrap(MOCK_MODELS, "     ")}
  3. For 10, 11 and c, set its timers for connecting, headers, first token and silence between tokens to at most --timers-ms,
     and the one for the whole answer to at most four times that. Leave them above 1000, or the slow behaviours will be
     taken for silent ones.
  4. For 17, c and f, arrange these models too, or leave them out by --without pauses, connect-timer or drain. Each deployment
     is a backend of its own, at the mock, whose model is the one named:
     ${arrangements("     ")}
  5. Switch off caches, and anything that answers in place of the upstream.

The mock is started on PORT unless one runs there already (node test/upstream/main.ts --port PORT).

options:
  --base-url URL       the gateway, ending in /v1
  --mock-port PORT     the port of the mock upstream
  --api-key KEY        sent as a bearer token to the gateway
  --model-prefix TEXT  put before each model's name, such as openai/
  --deaf-port PORT     opens this port as one that takes no connections (Linux); without it nothing connects to \`deaf\`
  --without LIST       features the gateway does not claim, whose checks are skipped: ${Object.keys(FEATURES).join(", ")}
  --only LIST          run these numbers and letters alone, such as 5,6,a
  --timers-ms N        the gateway's longest timer but for the whole answer (2000)
  --patience-ms N      the longest that a check waits for any one thing (5000)
  --json               print one JSON object
  --help

Exit status: 0 all passed, 1 some failed, 2 bad usage.`;

function wrap(words: readonly string[], indent: string): string {
  const lines = [""];
  for (const word of words) {
    const line = lines.at(-1) ?? "";
    if (line.length + word.length > 95) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join(`\n${indent}`);
}

function arrangements(indent: string): string {
  const lines = Object.entries(ARRANGEMENTS).map(([model, { deployments, drains }]) => {
    if (deployments.length === 0) return `${model}: at http://127.0.0.1:DEAF_PORT/v1, see --deaf-port`;
    return `${model}: ${deployments.join(", and ")}${drains ? "; a client that leaves lets it run on, for a while" : ""}`;
  });
  return lines.join(`\n${indent}`);
}

/** How one check went. */
interface Outcome {
  readonly id: string;
  readonly title: string;
  readonly result: "passed" | "failed" | "skipped";
  readonly ms: number;
  readonly reason?: string;
  readonly notes: readonly string[];
}

interface Settings {
  readonly gateway: Omit<GatewayUnderTest, "upstream">;
  readonly mockPort: number;
  readonly deafPort: number | null;
  readonly chosen: readonly Check[];
  readonly json: boolean;
}

class BadUsage extends Error {}

function listOf<T extends string>(text: string | undefined, known: readonly T[], option: string): readonly T[] {
  const names = (text ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  return names.map((name) => {
    const found = known.find((each) => each === name);
    if (found === undefined) throw new BadUsage(`${option} does not know ${name}; it knows ${known.join(", ")}`);
    return found;
  });
}

function wholeNumber(text: string, option: string, most = 3_600_000): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > most)
    throw new BadUsage(`${option} needs a whole number from 1 to ${most}, not ${text}`);
  return value;
}

function parsed() {
  try {
    return parseArgs({
      options: {
        "base-url": { type: "string" },
        "mock-port": { type: "string" },
        "deaf-port": { type: "string" },
        "api-key": { type: "string" },
        "model-prefix": { type: "string", default: "" },
        without: { type: "string" },
        only: { type: "string" },
        "timers-ms": { type: "string", default: "2000" },
        "patience-ms": { type: "string", default: "5000" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (error) {
    throw new BadUsage(error instanceof Error ? error.message : String(error));
  }
}

function readSettings(values: ReturnType<typeof parsed>): Settings {
  const baseUrl = values["base-url"];
  const mockPort = values["mock-port"];
  if (baseUrl === undefined || mockPort === undefined) throw new BadUsage("--base-url and --mock-port are needed");
  if (!URL.canParse(baseUrl)) throw new BadUsage(`--base-url is not a URL: ${baseUrl}`);
  const without = new Set<Feature>(listOf(values.without, Object.keys(FEATURES) as Feature[], "--without"));
  const deafPort = values["deaf-port"];
  if (deafPort === undefined) without.add("connect-timer");
  else if (!FullPort.isPossible) throw new BadUsage("--deaf-port works on Linux only");
  const only = listOf(
    values.only,
    checks.map(({ id }) => id),
    "--only",
  );
  return {
    mockPort: wholeNumber(mockPort, "--mock-port", 65_535),
    deafPort: deafPort === undefined ? null : wholeNumber(deafPort, "--deaf-port", 65_535),
    json: values.json,
    chosen: checks.filter(({ id }) => only.length === 0 || only.includes(id)),
    gateway: {
      name: baseUrl,
      baseUrl: baseUrl.replace(/\/+$/, ""),
      features: new Set((Object.keys(FEATURES) as Feature[]).filter((feature) => !without.has(feature))),
      ...(values["api-key"] === undefined ? {} : { apiKey: values["api-key"] }),
      modelName: (mockModel) => values["model-prefix"] + mockModel,
      timersMs: wholeNumber(values["timers-ms"], "--timers-ms"),
      patienceMs: wholeNumber(values["patience-ms"], "--patience-ms"),
    },
  };
}

/** The mock on the port: the one that runs there, or a new one that ends with the run. */
async function openMock(port: number): Promise<{ readonly handle: MockHandle; close(): Promise<void> }> {
  const running = connectMock(port);
  const answers = await running.listRequests().then(
    () => true,
    () => false,
  );
  if (answers) return { handle: running, close: () => Promise.resolve() };
  const started = await startMock({ port });
  return { handle: started, close: () => started.close() };
}

async function runCheck(check: Check, gateway: GatewayUnderTest): Promise<Outcome> {
  const { id, title } = check;
  const notes: string[] = [];
  const reason = skipReason(check, gateway.features);
  if (reason !== undefined) return { id, title, result: "skipped", ms: 0, reason, notes };
  const started = performance.now();
  const ms = (): number => Math.round(performance.now() - started);
  try {
    await check.run(contextOf(gateway, (text) => notes.push(text)));
    return { id, title, result: "passed", ms: ms(), notes };
  } catch (error) {
    return {
      id,
      title,
      result: "failed",
      ms: ms(),
      reason: error instanceof Error ? error.message : String(error),
      notes,
    };
  }
}

function print({ title, result, ms, reason, notes }: Outcome): void {
  const indented = [...(reason === undefined ? [] : reason.split("\n")), ...notes].map((line) => `         ${line}`);
  console.log([`${result.padEnd(7)}  ${title}${result === "skipped" ? "" : ` (${ms} ms)`}`, ...indented].join("\n"));
}

/** Fails at once, with one sentence, if nothing listens at the gateway's URL. */
async function assertReachable(gateway: Settings["gateway"]): Promise<void> {
  const exchange = new Exchange({
    url: `${gateway.baseUrl}/models`,
    method: "GET",
    patienceMs: gateway.patienceMs ?? 5000,
  });
  try {
    await exchange.head();
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new Error(`no gateway answers at ${gateway.baseUrl} (${words}); start it first, see --help`, {
      cause: error,
    });
  } finally {
    exchange.destroy();
  }
}

async function run(settings: Settings): Promise<boolean> {
  const mock = await openMock(settings.mockPort);
  const deaf = settings.deafPort === null ? null : await FullPort.open(settings.deafPort);
  try {
    await assertReachable(settings.gateway);
    const outcomes: Outcome[] = [];
    for (const check of settings.chosen) {
      const outcome = await runCheck(check, { ...settings.gateway, upstream: mock.handle });
      outcomes.push(outcome);
      if (!settings.json) print(outcome);
    }
    const count = (result: Outcome["result"]): number => outcomes.filter((each) => each.result === result).length;
    const [passed, failed, skipped] = [count("passed"), count("failed"), count("skipped")];
    if (settings.json)
      console.log(JSON.stringify({ gateway: settings.gateway.name, passed, failed, skipped, outcomes }, null, 2));
    else console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
    return failed === 0;
  } finally {
    await deaf?.[Symbol.asyncDispose]();
    await mock.close();
  }
}

try {
  const values = parsed();
  if (values.help) console.log(HELP);
  else if (!(await run(readSettings(values)))) process.exitCode = 1;
} catch (error) {
  const usage = error instanceof BadUsage;
  const words = error instanceof Error ? error.message : String(error);
  console.error(usage ? `${words}\nSee node scripts/behaviours.ts --help.` : `The run could not be finished: ${words}`);
  process.exitCode = usage ? 2 : 1;
}
