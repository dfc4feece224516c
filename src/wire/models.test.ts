import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { usdPerToken } from "./models.ts";

test("prices are exact decimals in dollars per token", () => {
  assert.equal(usdPerToken(0), "0");
  assert.equal(usdPerToken(1), "0.000000000000001");
  assert.equal(usdPerToken(150_000_000), "0.00000015");
  assert.equal(usdPerToken(10 ** 15), "1");
  assert.equal(usdPerToken(1_500_000_000_000_000), "1.5");
});

test("no digit is lost", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (price) => {
      const [whole = "", fraction = ""] = usdPerToken(price).split(".");
      assert.equal(BigInt(whole + fraction.padEnd(15, "0")), BigInt(price));
    }),
  );
});
