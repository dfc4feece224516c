import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { until } from "../gateway-suite/check.ts";
import { readError, readJson, readStream, readToContent } from "../gateway-suite/reading.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { chat, receiptIdOf, receiptOf } from "./lib/ask.ts";
import { Baseload, Folder } from "./lib/baseload.ts";
import { readKept } from "./lib/ledger.ts";
import { TINY } from "./lib/tiny.ts";

/** Generous: what is awaited comes within a probe or two. */
const WITHIN_MS = 20_000;

const mock = await startMock();
const folder = new Folder();
const innerConfig = `
version: 1
backends:
  engine: { engine: embedded }
  mock: { url: ${mock.baseUrl}, models: [ok, endless] }
`;

function startInner(port = 0): Promise<Baseload> {
  return Baseload.start({ config: innerConfig, dataDir: folder.path, port });
}

let inner = await startInner();
const outer = await Baseload.start({
  config: `
version: 1
server: { cooldownFirstMs: 100, cooldownMaxMs: 500 }
sites: { rack: { layer: enterprise } }
backends:
  inner: { url: ${inner.baseUrl}, site: rack }
telemetry: { probeIntervalMs: 200 }
`,
});
after(async () => {
  await outer[Symbol.asyncDispose]();
  await inner[Symbol.asyncDispose]();
  await mock.close();
  folder[Symbol.dispose]();
});

async function modelsOf(server: Baseload): Promise<readonly string[]> {
  const { data } = (await (await fetch(`${server.baseUrl}/models`)).json()) as { data: readonly { id: string }[] };
  return data.map(({ id }) => id);
}

async function readiness(server: Baseload): Promise<{ status: number; trouble: readonly string[] }> {
  const response = await fetch(`${server.origin}/readyz`);
  const { trouble } = (await response.json()) as { readonly trouble: readonly string[] };
  return { status: response.status, trouble };
}

describe("a Baseload as a backend of another", () => {
  it("offers its models to the outer one without being named there", async () => {
    await until(async () => ((await modelsOf(outer)).length > 0 ? true : undefined), {
      withinMs: WITHIN_MS,
      orElse: "no model was discovered",
    });
    assert.deepEqual(await modelsOf(outer), [TINY, "ok", "endless"]);
  });

  it("answers through both, with a receipt at each", async () => {
    const exchange = chat(outer, TINY, { fields: { max_tokens: 8 } });
    const { status, body } = await readJson(exchange);
    assert.equal(status, 200);
    const receipt = await receiptOf(outer, await receiptIdOf(exchange));
    const { completion_tokens: made } = body["usage"] as { completion_tokens: number };
    assert.deepEqual(
      [receipt.backendId, receipt.layer, receipt.outcome, receipt.tokens.output.value],
      ["inner", "enterprise", "completed", made],
    );
    const stream = await readStream(chat(outer, TINY, { fields: { max_tokens: 8, stream: true } }));
    assert.deepEqual([stream.dones, stream.errors.length], [1, 0]);
  });

  it("hands a client's leaving on through both", async () => {
    const exchange = chat(outer, "endless", { fields: { stream: true } });
    await readToContent(exchange);
    const id = await receiptIdOf(exchange);
    exchange.destroy();
    const receipt = await receiptOf(outer, id);
    assert.deepEqual([receipt.outcome, receipt.code], ["cancelled", "client_gone"]);
    await until(() => Promise.resolve(mock.requests[0]?.closedEarly || undefined), {
      withinMs: WITHIN_MS,
      orElse: "the engine behind both still works for a client that left",
    });
    // What comes next kills the inner one and looks at what it kept, so its receipt must be durable first.
    await until(async () => (await hasSettledCancel(inner)) || undefined, {
      withinMs: WITHIN_MS,
      orElse: "the inner one has no settled receipt of the client's leaving",
    });
  });

  it("is missed when it is killed, and found again when it is back", async () => {
    const exchange = chat(outer, "endless", { fields: { stream: true } });
    await readToContent(exchange);
    const { port } = inner;
    await inner.end("SIGKILL");
    const cut = await readStream(exchange);
    assert.deepEqual([cut.dones, cut.errors.length], [0, 1]);
    assert.match(JSON.stringify(cut.errors[0]), /upstream_broken/);
    const refused = await readError(chat(outer, TINY), [502, 502]);
    assert.equal(refused.code, "upstream_unreachable");
    const down = await until(
      async () => {
        const state = await readiness(outer);
        return state.status === 503 ? state : undefined;
      },
      { withinMs: WITHIN_MS, orElse: "the outer one stays ready without a backend" },
    );
    assert.deepEqual(down.trouble, ["no backend is up"]);
    assertInnerReceipts();
    inner = await startInner(port);
    await until(async () => ((await readiness(outer)).status === 200 ? true : undefined), {
      withinMs: WITHIN_MS,
      orElse: "the inner one was not found again",
    });
    const { status } = await readJson(chat(outer, TINY, { fields: { max_tokens: 4 } }));
    assert.equal(status, 200);
  });
});

/** Whether a cancelled request is counted there, and no receipt waits for the disk. */
async function hasSettledCancel({ origin }: Baseload): Promise<boolean> {
  const text = await (await fetch(`${origin}/metrics`)).text();
  return /outcome="cancelled"[^}]*\} 1$/m.test(text) && /^baseload_unsettled_receipts 0$/m.test(text);
}

/** What the killed one kept: an answer whole, one streamed, and the client's leaving as a cancellation. */
function assertInnerReceipts(): void {
  const { leaves } = readKept(folder.path);
  assert.deepEqual(
    leaves.map(({ receipt }) => [receipt.model, receipt.outcome, receipt.code]),
    [
      [TINY, "completed", null],
      [TINY, "completed", null],
      ["endless", "cancelled", "client_gone"],
    ],
  );
}
