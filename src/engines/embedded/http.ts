/** The embedded engine's HTTP: OpenAI's endpoints over a loaded model. */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Token } from "node-llama-cpp";
import { ApiError, errorAnswer } from "./errors.ts";
import { generate, type Job, type Outcome } from "./generate.ts";
import type { LoadedEngine } from "./load.ts";
import { type GenerationOptions, parseBody, readChatRequest, readCompletionRequest } from "./request.ts";
import { type AnswerHead, type AnswerShape, CHAT_SHAPE, COMPLETION_SHAPE } from "./shapes.ts";
import { EventStream } from "./sse.ts";

/** A request that was read and fits the context. */
type Prepared = GenerationOptions & {
  readonly shape: AnswerShape;
  readonly prompt: Token[];
  readonly continuesPrompt: boolean;
};

/** One exchange with a client. `signal` aborts when the client leaves before the answer's end. */
type Exchange = { readonly request: IncomingMessage; readonly response: ServerResponse; readonly signal: AbortSignal };

type Handler = (exchange: Exchange) => Promise<void> | void;

/** More than any prompt for the contexts that fit on one machine, and little enough to hold in memory many times. */
const BODY_BYTES_MAX = 32 * 1024 * 1024;
/** Longer than a client's pool keeps an idle connection, so that the client, which knows what it sends next, closes first. */
const KEEP_ALIVE_MS = 75_000;

/** A server over `engine`, not yet listening. `allowCrash` adds `POST /crash`, for tests. */
export function createEngineServer(engine: LoadedEngine, options: { readonly allowCrash: boolean }): Server {
  const routes = routesOf(engine, options.allowCrash);
  const server = createServer((request, response) => {
    void answer(routes, { request, response, signal: clientLeft(response) });
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return server;
}

function routesOf(engine: LoadedEngine, allowCrash: boolean): ReadonlyMap<string, Handler> {
  const createdS = Math.floor(Date.now() / 1000);
  const { modelName, contextTokens, sequences } = engine.info;
  const routes = new Map<string, Handler>([
    [
      "POST /v1/chat/completions",
      async (exchange) => serve(engine, exchange, prepareChat(engine, await readBody(exchange))),
    ],
    [
      "POST /v1/completions",
      async (exchange) => serve(engine, exchange, prepareCompletion(engine, await readBody(exchange))),
    ],
    [
      "GET /v1/models",
      ({ response }) =>
        sendJson(response, 200, {
          object: "list",
          data: [
            { id: modelName, object: "model", created: createdS, owned_by: "baseload", max_model_len: contextTokens },
          ],
        }),
    ],
    ["GET /healthz", ({ response }) => sendJson(response, 200, { status: "ok", sequences, ...engine.pool.load })],
  ]);
  if (allowCrash) routes.set("POST /crash", () => void process.kill(process.pid, "SIGSEGV"));
  return routes;
}

async function answer(routes: ReadonlyMap<string, Handler>, exchange: Exchange): Promise<void> {
  const { request, response, signal } = exchange;
  try {
    const path = new URL(request.url ?? "/", "http://engine").pathname;
    const handler = routes.get(`${request.method} ${path}`);
    if (handler === undefined)
      throw new ApiError(404, `There is no ${request.method} ${path} here.`, { code: "not_found" });
    await handler(exchange);
  } catch (error) {
    // Nobody is left to be told, and an abort is how their work was meant to end.
    if (signal.aborted) return;
    const { status, body } = errorAnswer(error);
    if (status === 500) console.error(error);
    if (response.headersSent) new EventStream(response, signal).fail(body);
    else sendJson(response, status, body);
  }
}

/** A signal that aborts once the connection closes before the response was finished. */
function clientLeft(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) controller.abort(new Error("the client left"));
  });
  return controller.signal;
}

async function readBody({ request, response }: Exchange): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > BODY_BYTES_MAX) {
      // The rest of the body will not be read, so the connection cannot carry another request.
      response.setHeader("connection", "close");
      throw new ApiError(413, `The body is larger than ${BODY_BYTES_MAX} bytes.`, { code: "body_too_large" });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function prepareChat(engine: LoadedEngine, bodyText: string): Prepared {
  const { messages, ...options } = readChatRequest(parseBody(bodyText));
  if (engine.template === null) {
    throw new ApiError(400, "This model has no chat template; use /v1/completions.", { code: "no_chat_template" });
  }
  const prompt = tokenize(engine, engine.template(messages), "messages");
  return { ...options, shape: CHAT_SHAPE, prompt, continuesPrompt: false };
}

function prepareCompletion(engine: LoadedEngine, bodyText: string): Prepared {
  const { prompt: text, ...options } = readCompletionRequest(parseBody(bodyText));
  const prompt = tokenize(engine, text, "prompt");
  return { ...options, shape: COMPLETION_SHAPE, prompt, continuesPrompt: true };
}

/** Tokens of a prompt, with the model's begin token if it wants one. Throws `ApiError` 400 if there are too many, or none. */
function tokenize({ model, info }: LoadedEngine, text: string, param: string): Token[] {
  const tokens = [...model.tokenize(text, true)];
  const { bos, shouldPrependBosToken } = model.tokens;
  if (bos !== null && shouldPrependBosToken && tokens[0] !== bos) tokens.unshift(bos);
  if (tokens.length === 0) throw new ApiError(400, "The prompt is empty.", { param, code: "invalid_value" });
  if (tokens.length >= info.contextTokens) {
    const message = `This model's context is ${info.contextTokens} tokens, but the prompt has ${tokens.length} and the answer needs room.`;
    throw new ApiError(400, message, { param, code: "context_length_exceeded" });
  }
  return tokens;
}

/** Waits for a sequence, generates, and always gives the sequence back. */
async function serve(engine: LoadedEngine, exchange: Exchange, prepared: Prepared): Promise<void> {
  const { signal } = exchange;
  const sequence = await engine.pool.take(prepared.prompt, signal);
  const job: Job = { ...prepared, gate: engine.gate, signal };
  try {
    const pieces = generate(sequence, job);
    await (prepared.stream
      ? sendStream(engine, exchange, { prepared, pieces })
      : sendWhole(engine, exchange, { prepared, pieces }));
  } catch (error) {
    // After an error of llama.cpp nobody knows what the sequence holds. After an abort its tokens are in order.
    if (!signal.aborted) await sequence.clearHistory();
    throw error;
  } finally {
    engine.pool.give(sequence);
  }
}

type Run = { readonly prepared: Prepared; readonly pieces: AsyncGenerator<string, Outcome, void> };

async function sendWhole(engine: LoadedEngine, { response }: Exchange, { prepared, pieces }: Run): Promise<void> {
  let text = "";
  let step = await pieces.next();
  for (; step.done !== true; step = await pieces.next()) text += step.value;
  sendJson(response, 200, prepared.shape.whole(headOf(engine, prepared.shape), text, step.value));
}

/** Headers wait for the first token, so that whatever fails before it is still a proper status. */
async function sendStream(engine: LoadedEngine, exchange: Exchange, { prepared, pieces }: Run): Promise<void> {
  const { shape, includeUsage } = prepared;
  const head = headOf(engine, shape);
  const stream = new EventStream(exchange.response, exchange.signal);
  let step = await pieces.next();
  for (const chunk of shape.opening(head)) await stream.send(withUsageField(chunk, includeUsage));
  for (; step.done !== true; step = await pieces.next()) {
    if (step.value !== "") await stream.send(withUsageField(shape.piece(head, step.value), includeUsage));
  }
  await stream.send(withUsageField(shape.closing(head, step.value.finishReason), includeUsage));
  if (includeUsage) await stream.send(shape.usage(head, step.value));
  await stream.finish();
}

/** Where usage was asked for, every chunk has the field, null in all but the last. */
function withUsageField(chunk: object, includeUsage: boolean): object {
  return includeUsage ? { ...chunk, usage: null } : chunk;
}

function headOf(engine: LoadedEngine, shape: AnswerShape): AnswerHead {
  return { id: shape.idPrefix + randomUUID(), createdS: Math.floor(Date.now() / 1000), model: engine.info.modelName };
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}
