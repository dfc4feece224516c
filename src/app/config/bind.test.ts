import assert from "node:assert/strict";
import { test } from "node:test";
import { loopback, refuseBind } from "./bind.ts";

test("only names of this machine are loopback", () => {
  for (const host of [
    "127.0.0.1",
    "127.9.8.7",
    "::1",
    "[::1]",
    "0:0:0:0:0:0:0:1",
    "localhost",
    "LOCALHOST",
    "::ffff:127.0.0.1",
  ]) {
    assert.equal(loopback(host), true, host);
  }
  for (const host of [
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "128.0.0.1",
    "::2",
    "localhost.example.com",
    "127.evil.com",
    "",
    "127.1",
    "*",
  ]) {
    assert.equal(loopback(host), false, host);
  }
});

test("without keys only loopback may be bound", () => {
  const keyed = [{ id: "acme", keys: [{ name: "main", admin: false, source: { env: "KEY" } }] }];
  assert.equal(refuseBind("127.0.0.1", []), null);
  assert.equal(refuseBind("0.0.0.0", keyed), null);
  assert.match(refuseBind("0.0.0.0", []) ?? "", /0\.0\.0\.0 can be reached .* → add tenants with keys .* 127\.0\.0\.1/);
  assert.notEqual(refuseBind("::", [{ id: "acme", keys: [] }]), null);
});
