import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { blamesBackend, coolDownMs, mayFallBack, relays } from "./retry.ts";

const status = (code: number) => ({ code: "upstream_error", status: code }) as const;
const failed = (code: Parameters<typeof mayFallBack>[0]["code"]) => ({ code, status: null });

test("what the upstream says is the caller's fault is neither tried elsewhere nor held against the backend", () => {
  for (const code of [400, 413, 422, 451]) {
    assert.ok(!mayFallBack(status(code)), String(code));
    assert.ok(!blamesBackend(status(code)), String(code));
  }
});

test("overload and breakage are tried elsewhere and held against the backend", () => {
  for (const code of [429, 500, 503, 200])
    assert.ok(mayFallBack(status(code)) && blamesBackend(status(code)), String(code));
  for (const code of ["upstream_unreachable", "upstream_broken", "upstream_first_timeout"] as const) {
    assert.ok(mayFallBack(failed(code)) && blamesBackend(failed(code)), code);
  }
});

test("a backend without the model, or with other keys, may be passed by for another", () => {
  assert.ok(mayFallBack(status(404)) && !blamesBackend(status(404)));
  const refused = { code: "upstream_unauthorized", status: 401 } as const;
  assert.ok(mayFallBack(refused) && blamesBackend(refused));
});

test("what one backend's API has no word for, another's may", () => {
  assert.ok(mayFallBack(failed("not_expressible")) && !blamesBackend(failed("not_expressible")));
});

test("a long or large answer speaks of the request, not of the backend", () => {
  for (const code of ["upstream_total_timeout", "upstream_too_large"] as const) {
    assert.ok(mayFallBack(failed(code)) && !blamesBackend(failed(code)), code);
  }
});

test("our own errors are never tried elsewhere, and only an upstream's own status is relayed", () => {
  assert.ok(!mayFallBack(failed("internal")) && !blamesBackend(failed("client_gone")));
  assert.ok(relays(status(500)) && !relays(failed("upstream_error")) && !relays(failed("upstream_broken")));
});

test("a cool-down doubles from the first to the most, and the upstream's own wish wins within those bounds", () => {
  const bounds = { firstMs: 100, maxMs: 1_000 };
  assert.deepEqual(
    [1, 2, 3, 4, 5, 1_000].map((failures) => coolDownMs(failures, null, bounds)),
    [100, 200, 400, 800, 1_000, 1_000],
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), fc.option(fc.nat()), (failures, retryAfterMs) => {
      const coolMs = coolDownMs(failures, retryAfterMs, bounds);
      assert.ok(coolMs >= 100 && coolMs <= 1_000);
      if (retryAfterMs !== null && retryAfterMs >= 100 && retryAfterMs <= 1_000) assert.equal(coolMs, retryAfterMs);
    }),
  );
});
