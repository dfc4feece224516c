/**
 * What clients see, byte by byte, as files: a change of any of these bytes is a change of the API and shows in a review.
 * `node scripts/golden.ts --update` writes them.
 */
import { readFileSync } from "node:fs";
import { ERRORS, type ErrorCode } from "../../src/base/errors.ts";
import { OpenAiEngine } from "../../src/engines/openai.ts";
import { shown } from "../../src/gateway/runs.ts";
import { Gateway } from "../../src/gateway/server.ts";
import { errorEnvelope } from "../../src/wire/error.ts";
import { modelEntry } from "../../src/wire/models.ts";
import type { Exchange } from "../../src/ports/exchange.ts";
import { PATIENT } from "../engine-conformance/subject.ts";
import { FIXTURES, observationOf } from "../engines/fixtures.ts";
import { FakeDesk, modelViewOf } from "../fakes/desk.ts";
import { GATEWAY_OPTIONS } from "../fakes/gateway.ts";
import { anthropicGolden } from "../shapes/anthropic/golden.ts";
import { cloudGoldenFiles } from "../shapes/cloud-golden.ts";
import { pageWithPairs, pairGoldenText } from "../shapes/pair-golden.ts";
import { runPageOf } from "../fakes/run.ts";
import { startMock } from "../upstream/mock-upstream.ts";

/** Half a minute after the run began. */
const RUN_SEEN_WALL_MS = 1_700_000_030_000;

/** A page for readers, of which a part is made here. */
const SHAPES_PAGE = "../../docs/shapes.md";

/** One golden file, by its name from this folder. */
export interface GoldenFile {
  readonly name: string;
  readonly text: string;
}

/** The files as the program would write them now. */
export async function makeGoldenFiles(): Promise<readonly GoldenFile[]> {
  return [
    { name: "errors.txt", text: errorLines() },
    {
      name: "run.json",
      text: `${JSON.stringify(shown("agent-7", runPageOf("agent-7"), RUN_SEEN_WALL_MS), null, 2)}\n`,
    },
    { name: "models.txt", text: modelList() },
    { name: "answer-stream.http", text: await answerText({ stream: true }) },
    { name: "answer-stream-usage.http", text: await answerText({ stream: true, wantsUsage: true }) },
    { name: "answer-whole.http", text: await answerText({ stream: false }) },
    ...anthropicGolden(),
    ...cloudGoldenFiles(),
    { name: "pairs.txt", text: pairGoldenText() },
    { name: SHAPES_PAGE, text: pageWithPairs(readGolden(SHAPES_PAGE) ?? "") },
    ...FIXTURES.map((fixture) => ({
      name: `../engines/fixtures/${fixture.name}/expected.json`,
      text: `${JSON.stringify(observationOf(fixture), null, 2)}\n`,
    })),
  ];
}

/** What is on the disk, or null when the file is missing. */
export function readGolden(name: string): string | null {
  try {
    return readFileSync(goldenUrl(name), "utf8");
  } catch {
    return null;
  }
}

/** Where a golden file is. */
export function goldenUrl(name: string): URL {
  return new URL(name, import.meta.url);
}

function errorLines(): string {
  return Object.entries(ERRORS)
    .map(([code, { status }]) => `${status} ${JSON.stringify(errorEnvelope(code as ErrorCode))}\n`)
    .join("");
}

/** The entries of GET /v1/models, one a line: a model of which all is known, one of which nothing is, and an alias of both. */
function modelList(): string {
  const price = {
    inputNanoUsdPerMillion: 150_000_000,
    cachedInputNanoUsdPerMillion: 75_000_000,
    cacheWriteNanoUsdPerMillion: null,
    outputNanoUsdPerMillion: 600_000_000,
    reasoningNanoUsdPerMillion: null,
    isFrom: true,
  };
  const known = modelViewOf("org/known", {
    aliases: ["known", "default"],
    contextTokens: 131_072,
    maxOutputTokens: 8_192,
    inputModalities: ["text", "image"],
    outputModalities: ["text"],
    capabilities: { tools: true, jsonSchema: false },
    description: "A model of which all is known.",
    ownedBy: "org",
    price,
  });
  const alias = modelViewOf("either", { aliasOf: ["org/known", "unknown"] });
  const data = [known, modelViewOf("unknown"), alias].map((view) => modelEntry(view, 1_700_000_000));
  return data.map((entry) => `${JSON.stringify(entry)}\n`).join("");
}

interface Asked {
  readonly stream: boolean;
  readonly wantsUsage?: boolean;
}

/** The client's bytes of the mock's plain answer, through engine and gateway; a desk that only connects the two stands between. */
async function answerText({ stream, wantsUsage = false }: Asked): Promise<string> {
  const mock = await startMock();
  const options = { url: mock.baseUrl, socketPath: null, key: null, headers: {}, discoverModels: false };
  const engine = new OpenAiEngine({ ...options, speaks: ["chat"], onLoss: "refuse", maxAnswerBytes: 1_000_000 });
  const desk = new FakeDesk();
  desk.onArrive = (exchange) => connectDoors(exchange, engine);
  const gateway = new Gateway(desk, GATEWAY_OPTIONS);
  const port = await gateway.listen("127.0.0.1", 0);
  const response = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
    method: "POST",
    body: JSON.stringify({
      model: "ok",
      messages: [{ role: "user", content: "Hi" }],
      stream,
      ...(wantsUsage ? { stream_options: { include_usage: true } } : {}),
    }),
  });
  const text = `${headText(response)}\n${await response.text()}`;
  gateway.stopListening();
  await gateway.finish(1000);
  await engine.close();
  await mock.close();
  return text;
}

// How the connection is kept and how bytes are cut into chunks is HTTP's business and differs from run to run.
const OF_THE_CONNECTION = new Set(["connection", "keep-alive", "transfer-encoding"]);

function headText(response: Response): string {
  const headers = [...response.headers].filter(([name]) => !OF_THE_CONNECTION.has(name));
  return `HTTP ${response.status}\n${headers.map(([name, value]) => `${name}: ${value}\n`).join("")}`;
}

function connectDoors(exchange: Exchange, engine: OpenAiEngine): void {
  const { job, body, clientRequestId, headers } = exchange;
  const { requestId, endpoint, stream, wantsUsage } = job;
  const edits = { model: null, forceUsage: stream && !wantsUsage };
  engine.send(
    { requestId, endpoint, stream, wantsUsage, attempt: 1, body, edits, watch: PATIENT, clientRequestId, headers },
    {
      bytes: (chunk) => exchange.write(chunk),
      dropped: (members) => exchange.dropped(members),
      first: () => exchange.commit(),
      progress: () => {},
      finished: () => {
        if (!stream) exchange.commit();
        exchange.end();
      },
      failed: ({ code }) => exchange.fail({ code, detail: null, retryAfterMs: null, relay: null }),
    },
  );
}
