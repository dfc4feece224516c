import { request as httpRequest } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import { arrangementOf } from "./arrangements.ts";
import { Late, timerOf } from "./proxy-options.ts";
import type { Proxied } from "./proxy-options.ts";

/** Sends the request to a deployment that is not paused, and to the next one where it asks for a pause. */
export async function sendUpstream(proxied: Proxied, body: string): Promise<IncomingMessage> {
  const { model, state, options } = proxied;
  const named = arrangementOf(model)?.deployments ?? [model];
  const rested = named.filter((each) => (state.pausedUntilMs.get(each) ?? 0) <= performance.now());
  const tried = rested.length > 0 ? rested : named;
  for (const [index, deployment] of tried.entries()) {
    const upstream = await send(
      proxied,
      body.replace(`"model":"${model}"`, () => `"model":"${deployment}"`),
    );
    if (upstream.statusCode !== 429 || index === tried.length - 1) return upstream;
    upstream.resume();
    state.pausedUntilMs.set(deployment, performance.now() + pauseMsOf(upstream, options.faults));
  }
  return send(proxied, body);
}

function pauseMsOf(upstream: IncomingMessage, faults: Proxied["options"]["faults"]): number {
  if (faults.has("ignores-pauses")) return 0;
  if (faults.has("pauses-for-ever")) return Number.POSITIVE_INFINITY;
  const told = upstream.headers["retry-after"] ?? "0";
  if (/^\d+$/.test(told)) return Number(told) * 1000;
  return faults.has("ignores-dates") ? 0 : Date.parse(told) - Date.now();
}

/** Returns when the headers have come. The client's leaving and the timers both end it. */
function send(proxied: Proxied, body: string): Promise<IncomingMessage> {
  const { options, response, model } = proxied;
  const origin = model === "deaf" ? `http://127.0.0.1:${options.deafPort}/v1` : options.upstream;
  return new Promise((resolve, reject) => {
    const upstream = httpRequest(`${origin}/chat/completions`, {
      method: "POST",
      agent: false,
      headers: {
        "content-type": "application/json",
        "content-length": String(Buffer.byteLength(body)),
        ...(options.faults.has("keeps-id") ? {} : { "x-request-id": proxied.requestId }),
      },
    });
    let stage = "connect";
    upstream.once("socket", (socket) => socket.once("connect", () => (stage = "headers")));
    const timer = setTimeout(() => upstream.destroy(new Late(stage, options)), timerOf(options));
    upstream.once("response", (incoming) => {
      clearTimeout(timer);
      resolve(incoming);
    });
    upstream.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    response.once("close", () => leave(proxied, upstream));
    upstream.end(body);
  });
}

/** The client is gone, or has its answer: what still runs upstream is ended, or runs on for a bounded time. */
function leave({ options, model }: Proxied, upstream: ClientRequest): void {
  const { faults } = options;
  if (faults.has("ignores-leaving")) return;
  const drains = arrangementOf(model)?.drains === true && !faults.has("never-drains");
  if (!drains) return void upstream.destroy();
  if (faults.has("drains-for-ever")) return;
  const timer = setTimeout(() => upstream.destroy(), timerOf(options));
  upstream.once("close", () => clearTimeout(timer));
}
