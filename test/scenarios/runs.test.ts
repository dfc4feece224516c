import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import OpenAI from "openai";
import { hashKey } from "../../src/gateway/access.ts";
import { until } from "../gateway-suite/check.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { receiptOf, type SettledReceipt } from "./lib/ask.ts";
import { Baseload, Folder } from "./lib/baseload.ts";

const KEY = "sk-run-one";
const OTHER_KEY = "sk-run-other";
const WITHIN_MS = 20_000;
// What the mock says of every answer, and a text whose bound it is.
const INPUT_TOKENS = 1234;
const OUTPUT_TOKENS = 57;
const TOKENS = INPUT_TOKENS + OUTPUT_TOKENS;
const TEXT = "x".repeat(2 * INPUT_TOKENS);

const mock = await startMock();
const folder = new Folder();
const config = `
version: 1
sites: { here: { layer: device, electricityUsdPerKwh: 0.21, gridGramsPerKwh: 344 } }
backends:
  mock:
    url: ${mock.baseUrl}
    models: "*"
    watts: 2400
    price: { inputUsdPerMillion: 1, outputUsdPerMillion: 2 }
tenants:
  one: { keys: [{ name: main, sha256: ${hashKey(KEY)} }] }
  other: { keys: [{ name: main, sha256: ${hashKey(OTHER_KEY)} }], runs: { maxSteps: 1 } }
`;
const server = await Baseload.start({ config });
after(async () => {
  await server[Symbol.asyncDispose]();
  await mock.close();
  folder[Symbol.dispose]();
});

type Message = OpenAI.ChatCompletionMessageParam;
type Body = OpenAI.ChatCompletionCreateParamsNonStreaming;

function clientOf({ baseUrl }: Baseload, apiKey = KEY, maxRetries = 0): OpenAI {
  return new OpenAI({ baseURL: baseUrl, apiKey, maxRetries, timeout: 30_000 });
}

const client = clientOf(server);

const bodyOf = (model: string, content: string, more: Partial<Body> = {}): Body => ({
  model,
  messages: [{ role: "user", content }],
  ...more,
});

/** What one call of a run gave. */
interface Step {
  readonly step: string | null;
  readonly receiptId: string;
  readonly message: OpenAI.ChatCompletionMessage;
}

async function stepOf(of: OpenAI, body: Body, headers: Readonly<Record<string, string>> = {}): Promise<Step> {
  const { data, response } = await of.chat.completions.create(body, { headers }).withResponse();
  const receiptId = response.headers.get("x-baseload-receipt") ?? assert.fail("no receipt");
  const message = data.choices[0]?.message ?? assert.fail("no choice");
  return { step: response.headers.get("x-baseload-run-step"), receiptId, message };
}

/** The error that a call is refused with, as the SDK has it. */
async function refusalOf(call: Promise<unknown>): Promise<{ status: number; code: string; message: string }> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    return { status: Number(error.status), code: String(error.code), message: error.message };
  }
  return assert.fail("it was answered");
}

interface Sum {
  readonly value: number;
  readonly unknownSteps: number;
}

interface Run {
  readonly runId: string;
  readonly state: string;
  readonly steps: number;
  readonly inFlight: number;
  readonly limitedBy: string | null;
  readonly totals: Readonly<Record<string, Sum>>;
  readonly limits: Readonly<Record<string, { readonly limit: number | null; readonly left: number | null }>>;
  readonly receipts: readonly SettledReceipt[];
  readonly next: number | null;
}

async function look(
  at: Baseload,
  path: string,
  key = KEY,
): Promise<{ readonly status: number; readonly value: unknown }> {
  const response = await fetch(`${at.origin}/api/runs${path}`, { headers: { authorization: `Bearer ${key}` } });
  return { status: response.status, value: await response.json() };
}

/** The run once so many of its receipts are stored. */
function runOf(at: Baseload, runId: string, receipts: number): Promise<Run> {
  return until(
    async () => {
      const { status, value } = await look(at, `/${runId}?limit=100`);
      const run = value as Run;
      return status === 200 && run.receipts.length === receipts ? run : undefined;
    },
    { withinMs: WITHIN_MS, orElse: `run ${runId} never had ${receipts} receipts` },
  );
}

const tools: OpenAI.ChatCompletionTool[] = [
  { type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } },
];

describe("an agent with tools", () => {
  it("has its calls joined by the run's id, numbered, summed up and listed in order", async () => {
    const messages: Message[] = [{ role: "user", content: "Is it warm in Zürich?" }];
    const named = { metadata: { run_id: "agent-1", purpose: "test" } };
    const receiptIds: string[] = [];
    for (const [index, model] of ["tools", "tools", "ok"].entries()) {
      const { step, receiptId, message } = await stepOf(client, { model, messages, tools, ...named });
      assert.equal(step, String(index + 1));
      receiptIds.push(receiptId);
      messages.push(message);
      for (const call of message.tool_calls ?? [])
        messages.push({ role: "tool", tool_call_id: call.id, content: "18 °C" });
    }
    const run = await runOf(server, "agent-1", 3);
    assert.deepEqual(
      run.receipts.map(({ receiptId, step, runId }) => [receiptId, step, runId]),
      receiptIds.map((receiptId, index) => [receiptId, index + 1, "agent-1"]),
    );
    assert.deepEqual([run.state, run.steps, run.limitedBy], ["idle", 3, null]);
    assert.deepEqual(run.totals["tokens"], { value: 3 * TOKENS, unknownSteps: 0 });
    assert.deepEqual(run.totals["costNanoUsd"], {
      value: 3 * (INPUT_TOKENS * 1000 + OUTPUT_TOKENS * 2000),
      unknownSteps: 0,
    });
    // The mock says nothing of cached tokens, and unknown is not zero.
    assert.deepEqual(run.totals["cachedInputTokens"], { value: 0, unknownSteps: 3 });
    const joules = run.receipts.reduce((sum, receipt) => sum + (receipt.energyMilliJoules.value ?? 0), 0);
    assert.deepEqual(run.totals["energyMilliJoules"], { value: joules, unknownSteps: 0 });
    const page = (await look(server, "/agent-1?limit=2")).value as Run;
    assert.deepEqual([page.receipts.length, page.next], [2, page.receipts[1]?.leafIndex]);
    const rest = (await look(server, `/agent-1?limit=2&after=${page.next}`)).value as Run;
    assert.deepEqual([rest.receipts.map(({ step }) => step), rest.next], [[3], null]);
    const sent = mock.requests.filter(({ bodyText }) => bodyText.includes("agent-1"));
    assert.equal(sent.length, 3, "metadata passes through");
  });

  it("is invisible to another tenant, who may have a run of the same id", async () => {
    assert.equal((await look(server, "/agent-1", OTHER_KEY)).status, 404);
    assert.deepEqual((await look(server, "", OTHER_KEY)).value, { runs: [] });
    const headers = { "x-baseload-run": "agent-1" };
    const other = clientOf(server, OTHER_KEY);
    assert.equal((await stepOf(other, bodyOf("ok", "one"), headers)).step, "1");
    const { status, code } = await refusalOf(stepOf(other, bodyOf("ok", "two"), headers));
    assert.deepEqual([status, code], [403, "run_limit_exceeded"]);
    assert.equal((await runOf(server, "agent-1", 3)).steps, 3);
  });
});

describe("a limit", () => {
  it("holds over ten calls at once, and those beyond it are sent nowhere", async () => {
    const headers = { "x-baseload-run": "parallel", "x-baseload-run-max-tokens": String(4 * TOKENS) };
    const body = bodyOf("hold-after-first", TEXT, { max_tokens: OUTPUT_TOKENS, user: "parallel" });
    let refused = 0;
    const calls = Array.from({ length: 10 }, async () => {
      try {
        return (await stepOf(client, body, headers)).step;
      } catch (error) {
        refused += 1;
        return error instanceof OpenAI.APIError ? String(error.code) : String(error);
      }
    });
    const sent = (): number => mock.requests.filter(({ bodyText }) => bodyText.includes('"user":"parallel"')).length;
    // The other six are refused while the four are held, so that nothing but their reservations can have refused them.
    await until(() => Promise.resolve((sent() === 4 && refused === 6) || undefined), {
      withinMs: WITHIN_MS,
      orElse: "four were not sent, or six not refused",
    });
    await mock.release("parallel");
    const answers = await Promise.all(calls);
    assert.deepEqual(answers.toSorted(), ["1", "2", "3", "4", ...Array<string>(6).fill("run_limit_exceeded")]);
    assert.equal(sent(), 4);
    const run = await runOf(server, "parallel", 10);
    assert.deepEqual(
      [run.totals["tokens"]?.value, run.limits["tokens"]?.left, run.limitedBy],
      [4 * TOKENS, 0, "tokens"],
    );
    assert.equal(run.receipts.filter(({ step }) => step !== null).length, 4);
  });

  it("is named with what was used and what is allowed, and is never loosened", async () => {
    const run = { "x-baseload-run": "tight" };
    await stepOf(client, bodyOf("ok", "one"), { ...run, "x-baseload-run-max-steps": "2" });
    await stepOf(client, bodyOf("ok", "two"), { ...run, "x-baseload-run-max-steps": "50" });
    const { status, code, message } = await refusalOf(stepOf(clientOf(server, KEY, 2), bodyOf("ok", "three"), run));
    assert.deepEqual([status, code], [403, "run_limit_exceeded"]);
    assert.match(message, /steps: 2 used, this call may take 1, 2 allowed/);
    // Had the SDK tried again, there would be more receipts.
    assert.equal((await runOf(server, "tight", 3)).receipts.at(-1)?.code, "run_limit_exceeded");
  });

  it("shows in the metrics by its kind", async () => {
    const headers = { authorization: `Bearer ${KEY}` };
    const text = await (await fetch(`${server.origin}/metrics`, { headers })).text();
    assert.match(text, /^baseload_runs_limited_total\{limit="tokens"\} 1$/m);
    assert.doesNotMatch(text, /parallel|agent-1/);
  });
});

describe("the loop guard", () => {
  it("refuses the same call after three answers, and names the step that it repeats", async () => {
    const headers = { "x-baseload-run": "loop" };
    await stepOf(client, bodyOf("ok", "plan"), headers);
    for (let round = 0; round < 3; round += 1) await stepOf(client, bodyOf("ok", "again"), headers);
    const { status, code, message } = await refusalOf(stepOf(client, bodyOf("ok", "again"), headers));
    assert.deepEqual([status, code], [400, "run_loop_detected"]);
    assert.match(message, /it repeats step 2 and was answered 3 times, 3 are allowed/);
    assert.equal((await stepOf(client, bodyOf("ok", "something new"), headers)).step, "5");
  });

  it("takes no retry of a call that failed for a loop", async () => {
    const headers = { "x-baseload-run": "retries" };
    for (let round = 0; round < 2; round += 1) {
      const { status } = await refusalOf(stepOf(clientOf(server, KEY, 2), bodyOf("error-500", "again"), headers));
      assert.equal(status, 500);
    }
    const run = await runOf(server, "retries", 6);
    assert.deepEqual([run.steps, run.limitedBy], [6, null]);
    assert.deepEqual(run.totals["tokens"], { value: 0, unknownSteps: 6 });
  });
});

describe("kill -9", () => {
  it("loses no total and loosens no limit of a run whose receipts were settled", async () => {
    const dataDir = join(folder.path, "killed");
    const headers = { "x-baseload-run": "long" };
    await using first = await Baseload.start({ config, dataDir });
    const before = clientOf(first);
    await stepOf(before, bodyOf("ok", "one"), { ...headers, "x-baseload-run-max-steps": "3" });
    const { receiptId } = await stepOf(before, bodyOf("ok", "two"), headers);
    await receiptOf(first, receiptId, KEY);
    const then = await runOf(first, "long", 2);
    await first.end("SIGKILL");
    await using second = await Baseload.start({ config, dataDir });
    const now = await runOf(second, "long", 2);
    assert.deepEqual([now.totals, now.steps, now.receipts], [then.totals, then.steps, then.receipts]);
    assert.deepEqual(now.limits["steps"], then.limits["steps"]);
    const { runs } = (await look(second, "")).value as { readonly runs: readonly Partial<Run>[] };
    assert.deepEqual(
      runs.map(({ runId }) => runId),
      ["long"],
    );
    const later = clientOf(second);
    assert.equal((await stepOf(later, bodyOf("ok", "three"), headers)).step, "3");
    assert.equal((await refusalOf(stepOf(later, bodyOf("ok", "four"), headers))).code, "run_limit_exceeded");
  });
});
