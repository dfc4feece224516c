import { after } from "node:test";
import { ARRANGEMENTS } from "../gateway-suite/arrangements.ts";
import { FEATURES, type Feature } from "../gateway-suite/check.ts";
import { gatewaySuite } from "../gateway-suite/suite.ts";
import { MOCK_MODELS } from "../upstream/behaviours.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { receiptOf } from "./lib/ask.ts";
import { Baseload } from "./lib/baseload.ts";
import { FullPort } from "./lib/full-port.ts";

// Long enough that the mock's slow behaviours are not taken for silence. An answer that is not streamed sends nothing before
// its end, so only its total is watched; 64 MiB to a client that pauses must fit in it too.
const WATCH = { connectMs: 1000, headersMs: 2000, firstMs: 2000, idleMs: 1500, totalMs: 8000 };

const mock = await startMock();
const deaf = FullPort.isPossible ? await FullPort.open() : null;

/** One backend for each deployment of an arranged model, and one for all the rest. */
function backends(): Readonly<Record<string, object>> {
  const arranged = Object.entries(ARRANGEMENTS).flatMap(([model, { deployments, drains }]) =>
    deployments.map((deployment, index) => [
      `${model}-${index}`,
      {
        url: mock.baseUrl,
        models: { [model]: deployment },
        watch: WATCH,
        ...(drains ? { onDisconnect: "drain", drainMs: 1500 } : {}),
      },
    ]),
  );
  const unheard =
    deaf === null ? {} : { deaf: { url: `http://127.0.0.1:${deaf.port}/v1`, models: ["deaf"], watch: WATCH } };
  return {
    mock: { url: mock.baseUrl, models: MOCK_MODELS, watch: WATCH },
    ...Object.fromEntries(arranged),
    ...unheard,
  };
}

const server = await Baseload.start({ config: JSON.stringify({ version: 1, backends: backends() }) });
after(async () => {
  await server[Symbol.asyncDispose]();
  await deaf?.[Symbol.asyncDispose]();
  await mock.close();
});

gatewaySuite({
  name: "Baseload",
  baseUrl: server.baseUrl,
  upstream: mock,
  features: new Set((Object.keys(FEATURES) as Feature[]).filter((each) => each !== "connect-timer" || deaf !== null)),
  timersMs: 2000,
  usageOf: async ({ headers }) => {
    const { output } = (await receiptOf(server, String(headers["x-baseload-receipt"]))).tokens;
    return { outputTokens: output.value, isExact: output.method === "provider_reported" };
  },
});
