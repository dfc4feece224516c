import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { UsageSaid } from "./check.ts";
import type { Head } from "./client.ts";
import { ProxyKeys } from "./proxy-keys.ts";
import { Late, sendError, timerOf } from "./proxy-options.ts";
import type { Proxied, ProxyOptions, ProxyState } from "./proxy-options.ts";
import { ProxyStream } from "./proxy-stream.ts";
import { sendUpstream } from "./proxy-upstream.ts";
import { until } from "../until.ts";

/** A proxy that runs. */
export interface Proxy {
  readonly baseUrl: string;
  /** What a streamed request used, by the head of its answer, once it is over upstream. */
  usageOf(head: Head): Promise<UsageSaid>;
  close(): Promise<void>;
}

/**
 * The smallest gateway that passes the whole suite, so that the suite is known to be passable, and with a fault switched on
 * one that must not pass, so that it is known to be able to fail. It is an aid of the suite and nothing else.
 */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const state: ProxyState = { pausedUntilMs: new Map(), usages: new Map() };
  const keys = new ProxyKeys(options);
  const server = createServer((request, response) => {
    const take = async (): Promise<void> => {
      const bodyText = await readAll(request);
      if (keys.takes(request)) {
        await keys.answer(request, response, { bodyText, ownUrl: `${baseUrl}/chat/completions` });
      } else await serve({ options, state, bodyText }, request, response);
    };
    take().catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else sendError(response, 502, error instanceof Error ? error : new Error(String(error)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return {
    baseUrl,
    usageOf: async ({ headers }) => {
      const id = String(headers["x-request-id"]);
      await until("the proxy tells what was used", () => state.usages.has(id));
      return state.usages.get(id) as UsageSaid;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Everything that the body holds, as text. */
async function readAll(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}

async function serve(
  { options, state, bodyText }: Pick<Proxied, "options" | "state" | "bodyText">,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { faults } = options;
  const given = request.headers["x-request-id"];
  const requestId = typeof given === "string" ? given : `proxy-${randomUUID()}`;
  response.setHeader("x-request-id", requestId);
  const body = parseObject(bodyText);
  const message = "the body is not a JSON object";
  if (!body) return sendError(response, faults.has("bad-body-is-500") ? 500 : 400, { message });
  const stream = faults.has("streams-by-default") ? body["stream"] !== false : body["stream"] === true;
  const streamOptions = body["stream_options"] as { readonly include_usage?: unknown } | null | undefined;
  const proxied: Proxied = {
    options,
    state,
    response,
    requestId,
    bodyText,
    model: String(body["model"]),
    stream,
    asksUsage: streamOptions?.include_usage === true,
  };
  const upstream = await sendUpstream(proxied, upstreamBody(proxied, body));
  await relay(proxied, upstream);
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Forces usage in streams by editing the text, so that all else stays as it came. */
function upstreamBody(proxied: Proxied, body: Record<string, unknown>): string {
  const { faults } = proxied.options;
  if (faults.has("drops-params")) {
    const { model, messages, stream, stream_options } = body;
    return JSON.stringify({ model, messages, stream, stream_options });
  }
  if (faults.has("parses-and-prints")) return JSON.stringify(body);
  const forced = `"stream_options":{"include_usage":true},`;
  const force = proxied.stream && (body["stream_options"] === undefined || faults.has("doubles-keys"));
  const flagged = faults.has("streams-by-default") && proxied.stream && body["stream"] !== true ? `"stream":true,` : "";
  return proxied.bodyText.replace("{", () => `{${force ? forced : ""}${flagged}`);
}

async function relay(proxied: Proxied, upstream: IncomingMessage): Promise<void> {
  const { response, options } = proxied;
  if (options.faults.has("leaks-upstream-id"))
    response.setHeader("x-request-id", upstream.headers["x-request-id"] ?? "");
  if (options.faults.has("hands-on-hop-headers"))
    response.setHeader("x-mock-hop", upstream.headers["x-mock-hop"] ?? "");
  if (upstream.statusCode === 200 && proxied.stream) return new ProxyStream(proxied, upstream).run();
  const text = await wholeText(upstream, options);
  if (upstream.statusCode === 200) return relayWhole(proxied, text);
  relayError(proxied, upstream, text);
}

async function wholeText(upstream: IncomingMessage, options: ProxyOptions): Promise<string> {
  const timer = setTimeout(() => upstream.destroy(new Late("total", options)), timerOf(options));
  try {
    return await readAll(upstream);
  } finally {
    clearTimeout(timer);
  }
}

function relayWhole(proxied: Proxied, text: string): void {
  const { response, options } = proxied;
  const body = parseObject(text);
  if (!Array.isArray(body?.["choices"])) {
    return sendError(response, 502, { message: "the upstream's answer is not a completion" });
  }
  const usage = body["usage"] as { readonly prompt_tokens: number } | undefined;
  if (options.faults.has("replaces-zero") && usage?.prompt_tokens === 0) body["usage"] = { ...usage, prompt_tokens: 9 };
  if (options.faults.has("invents-usage")) body["usage"] = { ...usage, prompt_tokens: 2020 };
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

function relayError(proxied: Proxied, upstream: IncomingMessage, text: string): void {
  const { response, options } = proxied;
  const status = upstream.statusCode ?? 502;
  const body = parseObject(text);
  if (options.faults.has("hands-on-pages")) {
    response.writeHead(status, { "content-type": upstream.headers["content-type"] ?? "text/plain" });
    response.end(text);
    return;
  }
  if (!body || options.faults.has("rewords-limits"))
    return sendError(response, status, { message: `upstream error: status ${status}` });
  const kept = Object.entries(upstream.headers).filter(
    ([name]) => name === "retry-after" || name.startsWith("x-ratelimit-"),
  );
  response.writeHead(status, { ...Object.fromEntries(kept), "content-type": "application/json" });
  response.end(text);
}
