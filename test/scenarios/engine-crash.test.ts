import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { until } from "../gateway-suite/check.ts";
import { readJson, readStream, readToContent } from "../gateway-suite/reading.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { chat, receiptIdOf, receiptOf } from "./lib/ask.ts";
import { Baseload } from "./lib/baseload.ts";
import { enginePid, LONG, TINY } from "./lib/tiny.ts";

const NEEDS = process.platform === "linux" ? false : "the engine's process is found in Linux's /proc";

const mock = await startMock();
const server = await Baseload.start({
  config: `
version: 1
backends:
  engine: { engine: embedded, sequences: 2 }
  mock: { url: ${mock.baseUrl}, models: [hold-after-first] }
`,
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await mock.close();
});

/** The engine's process, other than an earlier one. */
function engine(earlier: number | null = null): Promise<number> {
  return until(
    () => {
      const pid = enginePid(server);
      return Promise.resolve(pid === null || pid === earlier ? undefined : pid);
    },
    { withinMs: 20_000, orElse: `no engine runs; the server printed:\n${server.output}` },
  );
}

describe("the embedded engine's process is killed", { skip: NEEDS }, () => {
  it("fails its own streams with one error event each, and no other request", async () => {
    const other = chat(server, "hold-after-first", { fields: { stream: true }, text: "the other one" });
    await readToContent(other);
    const streams = [1, 2].map(() => chat(server, TINY, { fields: { stream: true, ...LONG } }));
    const pid = await engine();
    await Promise.all(streams.map(readToContent));
    process.kill(pid, "SIGKILL");
    for (const stream of streams) {
      const { errors, dones, finishes } = await readStream(stream);
      assert.deepEqual([errors.length, dones, finishes], [1, 0, []]);
      assert.match(JSON.stringify(errors[0]), /"code":"upstream_broken"/);
      const receipt = await receiptOf(server, await receiptIdOf(stream));
      assert.deepEqual([receipt.outcome, receipt.code, receipt.attempts.length], ["failed", "upstream_broken", 1]);
      assert.equal(
        receipt.tokens.output.method,
        "counted_estimate",
        "what was made before the crash is on the receipt",
      );
    }
    await mock.release("the other one");
    const rest = await readStream(other);
    assert.deepEqual([rest.dones, rest.errors.length], [1, 0]);
    assert.notEqual(await engine(pid), pid);
  });

  it("serves again, and keeps requests waiting that come while it starts", async () => {
    const pid = await engine();
    // Ready, so that it is the crash of an engine that served.
    assert.equal((await readJson(chat(server, TINY, { fields: { max_tokens: 4 } }))).status, 200);
    process.kill(pid, "SIGKILL");
    // What reaches a dying engine fails with it; what comes after its end is known waits.
    await server.printed(/(?:ended with SIGKILL[^]*){2}/);
    const waiting = [1, 2, 3, 4].map(() => chat(server, TINY, { fields: { max_tokens: 4 } }));
    for (const exchange of waiting) {
      const { status, body } = await readJson(exchange);
      assert.equal(status, 200, JSON.stringify(body));
    }
    assert.notEqual(await engine(pid), pid, "it was started again");
  });
});
