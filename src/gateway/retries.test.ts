import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startGateway } from "../../test/fakes/running-gateway.ts";
import { until } from "../../test/until.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { Relay } from "../ports/engine.ts";
import type { Exchange } from "../ports/exchange.ts";
import { hashKey } from "./access.ts";
import type { GatewayOptions } from "./server.ts";

const bodyOf = (stream: boolean, content = "Hi"): string =>
  JSON.stringify({ model: "m", stream, messages: [{ role: "user", content }] });

async function begin(change: Partial<GatewayOptions> = {}) {
  const { desk, origin } = await startGateway(change);
  const ask = (
    body: string,
    headers: Record<string, string>,
    more: { readonly signal?: AbortSignal; readonly path?: string } = {},
  ): Promise<Response> =>
    fetch(origin + (more.path ?? "/v1/chat/completions"), {
      method: "POST",
      body,
      headers,
      ...(more.signal === undefined ? {} : { signal: more.signal }),
    });
  const keyed = (body: string, key = "k-1"): Promise<Response> => ask(body, { "idempotency-key": key });
  return { desk, ask, keyed };
}

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: { code: string } }).error.code;
}

function failWith(code: ErrorCode, relay: Relay | null = null): (exchange: Exchange) => void {
  return (exchange) => exchange.fail({ code, detail: null, retryAfterMs: null, relay });
}

describe("a request that comes again with its idempotency key", () => {
  for (const stream of [false, true]) {
    test(`gets the same ${stream ? "stream" : "answer"} and receipt, and the desk hears of one`, async () => {
      const { desk, keyed } = await begin();
      desk.onArrive = (exchange) => {
        if (stream) {
          exchange.write(Buffer.from("data: one\n\n"));
          exchange.commit();
          exchange.write(Buffer.from("data: two\n\ndata: [DONE]\n\n"));
        } else {
          exchange.write(Buffer.from('{"id":"x"}'));
          exchange.commit();
        }
        exchange.end();
      };
      const first = await keyed(bodyOf(stream));
      const second = await keyed(bodyOf(stream));
      assert.equal(await second.text(), await first.text());
      assert.deepEqual([second.status, desk.exchanges.length], [200, 1]);
      for (const name of ["content-type", "x-baseload-receipt", "cache-control"]) {
        assert.equal(second.headers.get(name), first.headers.get(name), name);
      }
      assert.notEqual(second.headers.get("x-baseload-receipt"), null);
      assert.deepEqual(
        [first.headers.get("x-baseload-replayed"), second.headers.get("x-baseload-replayed")],
        [null, "true"],
      );
      assert.notEqual(second.headers.get("x-request-id"), first.headers.get("x-request-id"));
    });
  }

  test("but with another body, or to another path, is a conflict", async () => {
    const { desk, ask, keyed } = await begin();
    await (await keyed(bodyOf(false))).text();
    const other = await keyed(bodyOf(false, "Ho"));
    assert.deepEqual([other.status, await codeOf(other)], [409, "idempotency_conflict"]);
    const both = '{"model":"m","prompt":"Hi","messages":[{"role":"user","content":"Hi"}]}';
    await (await keyed(both, "k-2")).text();
    const elsewhere = await ask(both, { "idempotency-key": "k-2" }, { path: "/v1/completions" });
    assert.equal(await codeOf(elsewhere), "idempotency_conflict");
    assert.equal(desk.exchanges.length, 2);
  });

  test("while the first is being answered is told to wait, and then gets the answer", async () => {
    const { desk, keyed } = await begin();
    desk.onArrive = () => {};
    const first = keyed(bodyOf(true));
    await until("it arrives", () => desk.exchanges.length === 1);
    const early = await keyed(bodyOf(true));
    assert.deepEqual([early.status, early.headers.get("retry-after")], [409, "1"]);
    assert.equal(await codeOf(early), "idempotency_in_progress");
    const exchange = desk.exchanges[0] ?? assert.fail();
    exchange.commit();
    exchange.end();
    await (await first).text();
    assert.equal((await keyed(bodyOf(true))).headers.get("x-baseload-replayed"), "true");
  });

  test("is another tenant's own request", async () => {
    const keys = new Map([
      [hashKey("key-a"), { tenant: "a", key: "x" }],
      [hashKey("key-b"), { tenant: "b", key: "x" }],
    ]);
    const { desk, ask } = await begin({ keys });
    for (const key of ["key-a", "key-b"]) {
      const answer = await ask(bodyOf(false), { "idempotency-key": "same", authorization: `Bearer ${key}` });
      assert.equal(answer.headers.get("x-baseload-replayed"), null);
    }
    assert.equal(desk.exchanges.length, 2);
  });

  test("is really made again after a failure, whole or in the stream, and after the first client left", async () => {
    const { desk, ask, keyed } = await begin();
    const relay = (status: number): Relay => ({ status, headers: {}, body: Buffer.from('{"error":{"message":"x"}}') });
    const failures = [
      failWith("queue_timeout"),
      failWith("model_not_found"),
      failWith("upstream_error", relay(429)),
      failWith("upstream_error", relay(500)),
      (exchange: Exchange) => {
        exchange.commit();
        exchange.write(Buffer.from("data: half\n\n"));
        failWith("upstream_broken")(exchange);
      },
    ];
    for (const failure of failures) {
      desk.onArrive = failure;
      await (await keyed(bodyOf(true))).text();
    }
    assert.equal(desk.exchanges.length, failures.length);
    desk.onArrive = () => {};
    const leaving = new AbortController();
    const left = ask(bodyOf(true), { "idempotency-key": "k-1" }, leaving).catch(() => null);
    await until("it arrives", () => desk.exchanges.length === failures.length + 1);
    leaving.abort();
    await left;
    await until("the desk hears that the client left", () => desk.gone.length === 1);
    desk.onArrive = failWith("upstream_error", relay(400));
    assert.equal((await keyed(bodyOf(true))).headers.get("x-baseload-replayed"), null);
    const kept = await keyed(bodyOf(true));
    assert.deepEqual([kept.status, kept.headers.get("x-baseload-replayed")], [400, "true"]);
  });

  test("is made again when the answer was too large to keep", async () => {
    const { desk, keyed } = await begin({ idempotencyMaxBytes: 5000 });
    desk.onArrive = (exchange) => {
      exchange.write(Buffer.alloc(6000, " "));
      exchange.commit();
      exchange.end();
    };
    await (await keyed(bodyOf(false))).text();
    assert.equal((await (await keyed(bodyOf(false))).text()).length, 6000);
    assert.equal(desk.exchanges.length, 2);
  });

  test("needs a key of visible characters", async () => {
    const { desk, keyed } = await begin();
    for (const key of ["two words", "x".repeat(256), ""]) {
      const answer = await keyed(bodyOf(false), key);
      assert.deepEqual([answer.status, await codeOf(answer)], [400, "invalid_request"]);
    }
    assert.equal(desk.exchanges.length, 0);
  });
});
