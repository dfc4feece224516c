/** A small HTTP client over a Unix socket, for this folder's tests. */
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { once } from "node:events";

/** The parts of OpenAI's answers that the tests read. */
export type AnswerBody = {
  readonly id: string;
  readonly object: string;
  readonly model: string;
  readonly choices: readonly {
    readonly finish_reason: string | null;
    readonly text?: string;
    readonly message?: {
      readonly role: string;
      readonly content: string;
      readonly tool_calls?: readonly {
        readonly id: string;
        readonly function: { readonly name: string; readonly arguments: string };
      }[];
    };
    readonly delta?: { readonly role?: string; readonly content?: string };
  }[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly total_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
  } | null;
  readonly error?: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
  readonly data?: readonly { readonly id: string }[];
  readonly busy?: number;
  readonly waiting?: number;
  readonly computed_tokens?: number;
};

/** A request under way. Rejects `response` if the connection fails. */
export type Call = { readonly request: ClientRequest; readonly response: Promise<IncomingMessage> };

/** Sends `body`, JSON unless it is a string, to `path` of the server at `socketPath`; a GET without a body. */
export function call(socketPath: string, path: string, body?: object | string): Call {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const sent = request({ socketPath, path, method: body === undefined ? "GET" : "POST", agent: false });
  const response = once(sent, "response").then(([message]) => message as IncomingMessage);
  sent.end(text);
  return { request: sent, response };
}

/** Sends a request and reads its whole JSON answer. */
export async function ask(
  socketPath: string,
  path: string,
  body?: object | string,
): Promise<{ status: number; body: AnswerBody }> {
  const response = await call(socketPath, path, body).response;
  return { status: response.statusCode ?? 0, body: JSON.parse(await readAll(response)) as AnswerBody };
}

/** Sends a streaming request and reads its events; the last is `[DONE]`, which is checked and left out. */
export async function askStream(socketPath: string, path: string, body: object): Promise<AnswerBody[]> {
  const response = await call(socketPath, path, { ...body, stream: true }).response;
  const events = (await readAll(response)).split("\n\n").filter((event) => event !== "");
  if (events.pop() !== "data: [DONE]") throw new Error("the stream did not end with [DONE]");
  return events.map((event) => JSON.parse(event.replace(/^data: /, "")) as AnswerBody);
}

async function readAll(response: IncomingMessage): Promise<string> {
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response as AsyncIterable<string>) text += chunk;
  return text;
}
