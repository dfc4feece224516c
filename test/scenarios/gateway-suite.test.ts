import { after } from "node:test";
import { FEATURES, type Feature } from "../gateway-suite/check.ts";
import { gatewaySuite } from "../gateway-suite/suite.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { Baseload } from "./lib/baseload.ts";

// Long enough that the mock's slow behaviours are not taken for silence. An answer that is not streamed sends nothing before
// its end, so only its total is watched; 64 MiB to a client that pauses must fit in it too.
const WATCH = "{ headersMs: 2000, firstMs: 2000, idleMs: 1500, totalMs: 4000 }";

const mock = await startMock();
const server = await Baseload.start({
  config: `
version: 1
backends:
  mock:
    url: ${mock.baseUrl}
    models: "*"
    watch: ${WATCH}
`,
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await mock.close();
});

gatewaySuite({
  name: "Baseload",
  baseUrl: server.baseUrl,
  upstream: mock,
  features: new Set(Object.keys(FEATURES) as Feature[]),
  timersMs: 2000,
});
