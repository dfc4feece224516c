import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { clientAddress, clientOf, networksOf, parseNetwork } from "./addresses.ts";

const NETWORKS = networksOf(["10.0.0.0/8", "192.0.2.7", "fd00::/8"]);

test("networks are addresses with or without bits, and nothing else", () => {
  assert.deepEqual(parseNetwork("10.0.0.0/8"), { address: "10.0.0.0", bits: 8, family: "ipv4" });
  assert.deepEqual(parseNetwork("::1"), { address: "::1", bits: 128, family: "ipv6" });
  for (const text of ["", "10.0.0.0/33", "10.0.0/8", "host", "10.0.0.0/", "10.0.0.0/8/8", "::/129", "10.0.0.0/-1"]) {
    assert.equal(parseNetwork(text), null, text);
  }
  assert.throws(() => networksOf(["everyone"]), /everyone is no network/);
});

test("the client is the nearest address that no trusted proxy has", () => {
  const cases: readonly (readonly [string, string | undefined, string])[] = [
    ["203.0.113.9", "1.1.1.1", "203.0.113.9"],
    ["10.0.0.1", undefined, "10.0.0.1"],
    ["10.0.0.1", "", "10.0.0.1"],
    ["10.0.0.1", "1.1.1.1", "1.1.1.1"],
    ["::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"],
    ["10.0.0.1", "6.6.6.6, 1.1.1.1, 10.2.2.2,192.0.2.7", "1.1.1.1"],
    ["10.0.0.1", "6.6.6.6, nonsense, 10.2.2.2", "10.2.2.2"],
    ["10.0.0.1", "10.9.9.9", "10.9.9.9"],
    ["fd00::1", "2001:db8::5", "2001:db8::5"],
    ["10.0.0.1", "[2001:db8::5]:443", "2001:db8::5"],
    ["10.0.0.1", "1.1.1.1:80", "1.1.1.1"],
    ["10.0.0.1", "::ffff:1.1.1.1", "1.1.1.1"],
  ];
  for (const [peer, forwarded, client] of cases) {
    assert.equal(clientAddress(peer, forwarded, NETWORKS), client, `${peer} for ${forwarded}`);
  }
});

test("whatever a client writes to the left cannot change who it is", () => {
  fc.assert(
    fc.property(fc.string(), (lie) => {
      assert.equal(clientAddress("10.0.0.1", `${lie},1.1.1.1`, NETWORKS), "1.1.1.1");
      assert.equal(clientAddress("1.1.1.1", lie, NETWORKS), "1.1.1.1");
    }),
  );
});

test("one client is an IPv4 address or an IPv6 /64, however it is written", () => {
  assert.equal(clientOf("1.2.3.4"), "1.2.3.4");
  assert.equal(clientOf("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assert.equal(clientOf("2001:DB8:1:2::9"), "2001:db8:1:2::/64");
  assert.equal(clientOf("2001:0db8:0001:0002::9%eth0"), "2001:db8:1:2::/64");
  assert.equal(clientOf("2001:db8::1"), "2001:db8:0:0::/64");
  assert.equal(clientOf("::1"), "0:0:0:0::/64");
  assert.equal(clientOf("64:ff9b::1.2.3.4"), "64:ff9b:0:0::/64");
});
