/** The embedded engine's HTTP: OpenAI's endpoints over a loaded model. */
import { createServer, type Server, type ServerResponse } from "node:http";
import { type Exchange, sendJson, serve } from "./answer.ts";
import { ApiError, errorAnswer } from "./errors.ts";
import { answerEmbeddings } from "./embeddings.ts";
import type { LoadedEngine } from "./load.ts";
import { modelMeta } from "./model-info.ts";
import { prepareChat, prepareCompletion } from "./prepare.ts";
import { EventStream } from "./sse.ts";

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
  const model = { id: modelName, object: "model", created: createdS, owned_by: "baseload" };
  const routes = new Map<string, Handler>([
    [
      "POST /v1/chat/completions",
      async (exchange) => serve(engine, exchange, await prepareChat(engine, await readBody(exchange))),
    ],
    [
      "POST /v1/completions",
      async (exchange) => serve(engine, exchange, await prepareCompletion(engine, await readBody(exchange))),
    ],
    [
      "GET /v1/models",
      ({ response }) =>
        sendJson(response, 200, {
          object: "list",
          data: [{ ...model, max_model_len: contextTokens, meta: modelMeta(engine.info.file) }],
        }),
    ],
    [
      "POST /v1/embeddings",
      async (exchange) =>
        sendJson(exchange.response, 200, await answerEmbeddings(engine, await readBody(exchange), exchange.signal)),
    ],
    [
      "GET /healthz",
      ({ response }) =>
        sendJson(response, 200, {
          status: "ok",
          sequences,
          ...engine.pool.load,
          computed_tokens: engine.pool.computedTokens,
        }),
    ],
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
