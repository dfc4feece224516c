/** Computes one answer and sends it, whole or as a stream. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { generate, type Job, type Outcome, type Piece, type PlacedChance } from "./generate.ts";
import type { LoadedEngine } from "./load.ts";
import type { Prepared } from "./prepare.ts";
import type { AnswerHead, AnswerShape, Ending, Part } from "./shapes.ts";
import { EventStream } from "./sse.ts";
import { tellChances } from "./told-chances.ts";
import type { AnswerEvent } from "./tools/answer-reader.ts";

/** One exchange with a client. `signal` aborts when the client leaves before the answer's end. */
export type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
};

type Run = {
  readonly engine: LoadedEngine;
  readonly prepared: Prepared;
  readonly pieces: AsyncGenerator<Piece, Outcome, void>;
};

/** Waits for a sequence, generates, and always gives the sequence back. */
export async function serve(engine: LoadedEngine, exchange: Exchange, prepared: Prepared): Promise<void> {
  const { signal } = exchange;
  const sequence = await engine.pool.take(prepared.prompt, signal);
  const job: Job = { ...prepared, isEnough: () => prepared.reader.isComplete, gate: engine.gate, signal };
  try {
    const run = { engine, prepared, pieces: generate(sequence, job) };
    await (prepared.stream ? sendStream(run, exchange) : sendWhole(run, exchange));
  } catch (error) {
    // After an error of llama.cpp nobody knows what the sequence holds. After an abort its tokens are in order.
    if (!signal.aborted) await sequence.clearHistory();
    throw error;
  } finally {
    engine.pool.give(sequence);
  }
}

async function sendWhole(run: Run, { response }: Exchange): Promise<void> {
  const { engine, prepared, pieces } = run;
  const events: AnswerEvent[] = [];
  const chances: PlacedChance[] = [];
  let step = await pieces.next();
  for (; step.done !== true; step = await pieces.next()) {
    events.push(...prepared.reader.push(step.value.text));
    chances.push(...step.value.chances);
  }
  events.push(...prepared.reader.end());
  const body = prepared.shape.whole(
    headOf(engine, prepared.shape),
    told(run, events, chances),
    ending(run, step.value),
  );
  sendJson(response, 200, body);
}

/** Headers wait for the first token, so that whatever fails before it is still a proper status. */
async function sendStream(run: Run, exchange: Exchange): Promise<void> {
  const { engine, prepared, pieces } = run;
  const { shape, includeUsage, reader } = prepared;
  const head = headOf(engine, shape);
  const stream = new EventStream(exchange.response, exchange.signal);
  const sendAll = async (chunks: readonly object[]): Promise<void> => {
    for (const chunk of chunks) await stream.send(withUsageField(chunk, includeUsage));
  };
  let step = await pieces.next();
  await sendAll(shape.opening(head));
  // Chances of tokens whose text the reader holds back wait for the next chunk.
  const waiting: PlacedChance[] = [];
  for (; step.done !== true; step = await pieces.next()) {
    const events = reader.push(step.value.text);
    waiting.push(...step.value.chances);
    if (events.length === 0) continue;
    await sendAll(shape.pieces(head, told(run, events, waiting)));
    waiting.length = 0;
  }
  const last = reader.end();
  if (last.length > 0) await sendAll(shape.pieces(head, told(run, last, waiting)));
  const { finishReason, outcome } = ending(run, step.value);
  await sendAll([shape.closing(head, finishReason, told(run, [], last.length > 0 ? [] : waiting).chances)]);
  if (includeUsage) await stream.send(shape.usage(head, outcome));
  await stream.finish();
}

function told({ engine, prepared }: Run, events: readonly AnswerEvent[], chances: readonly PlacedChance[]): Part {
  return { events, chances: prepared.logprobs === null ? null : tellChances(engine.model, chances) };
}

function ending({ prepared }: Run, outcome: Outcome): Ending {
  const calls = prepared.reader.calls > 0 && outcome.finishReason === "stop";
  return { finishReason: calls ? "tool_calls" : outcome.finishReason, outcome };
}

/** Where usage was asked for, every chunk has the field, null in all but the last. */
function withUsageField(chunk: object, includeUsage: boolean): object {
  return includeUsage ? { ...chunk, usage: null } : chunk;
}

function headOf(engine: LoadedEngine, shape: AnswerShape): AnswerHead {
  return { id: shape.idPrefix + randomUUID(), createdS: Math.floor(Date.now() / 1000), model: engine.info.modelName };
}

/** Sends `body` as JSON and ends the response. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}
