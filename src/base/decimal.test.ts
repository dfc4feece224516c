import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { decimalToInteger } from "./decimal.ts";

test("a decimal becomes the exact integer", () => {
  assert.equal(decimalToInteger("0.15", 9), 150_000_000);
  assert.equal(decimalToInteger("0.000000001", 9), 1);
  assert.equal(decimalToInteger("9007199.254740991", 9), Number.MAX_SAFE_INTEGER);
  assert.equal(decimalToInteger("1e-7", 9), 100);
  assert.equal(decimalToInteger("1.50e2", 0), 150);
  assert.equal(decimalToInteger(".5", 3), 500);
  assert.equal(decimalToInteger("5.", 3), 5000);
  assert.equal(decimalToInteger("-0", 9), 0);
  assert.equal(decimalToInteger("0.1000000000000", 9), 100_000_000);
});

test("what does not fit is refused, never rounded", () => {
  assert.equal(decimalToInteger("0.0000000001", 9), "too_fine");
  assert.equal(decimalToInteger("1e-300", 9), "too_fine");
  assert.equal(decimalToInteger("9007199.254740992", 9), "too_large");
  assert.equal(decimalToInteger("1e999", 9), "too_large");
  assert.equal(decimalToInteger("-0.1", 9), "negative");
  for (const text of ["", ".", "$1", "1,5", "1_000", "0x10", ".inf", "NaN", "1 2", "1e9999", "1.2.3"]) {
    assert.equal(decimalToInteger(text, 9), "malformed", text);
  }
});

test("any integer printed as a decimal is read back exactly", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.integer({ min: 0, max: 12 }), (value, places) => {
      const digits = String(value).padStart(places + 1, "0");
      const whole = digits.slice(0, digits.length - places);
      const text = places === 0 ? whole : `${whole}.${digits.slice(digits.length - places)}`;
      assert.equal(decimalToInteger(text, places), value);
      assert.equal(decimalToInteger(`${digits}e-${places}`, places), value);
    }),
  );
});

test("one digit more than the unit keeps is refused unless it is zero", () => {
  fc.assert(
    fc.property(fc.nat({ max: 1_000_000 }), fc.nat({ max: 999_999_999 }), fc.nat({ max: 9 }), (whole, nano, extra) => {
      const text = `${whole}.${String(nano).padStart(9, "0")}${extra}`;
      assert.equal(decimalToInteger(text, 9), extra === 0 ? whole * 1_000_000_000 + nano : "too_fine");
    }),
  );
});
