import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTargets, sorted, targetOf } from "./targets.ts";

test("targets of all groups are one sorted list without doubles; labels are left aside", () => {
  const text = JSON.stringify([
    { targets: ["10.0.0.6:8000", "10.0.0.5:8000"], labels: { rack: "r1" } },
    { targets: ["[FD00::1]:80", "Host-1.example:8000", "10.0.0.5:8000"] },
    { targets: [] },
  ]);
  assert.deepEqual(parseTargets(text), ["10.0.0.5:8000", "10.0.0.6:8000", "[fd00::1]:80", "host-1.example:8000"]);
  assert.deepEqual(parseTargets("[]"), []);
});

test("what is no list of targets is told in words, without quoting it", () => {
  for (const [text, words] of [
    ["", /not JSON/],
    ["{}", /not a list/],
    ["[1]", /group 0 .* no list of targets/],
    ['[{"targets":["a:1"]},{"targets":"b:1"}]', /group 1/],
  ] as const)
    assert.throws(() => parseTargets(text), words, text);
  for (const target of [
    "a",
    "a:0",
    "a:65536",
    "a:x",
    "http://a:1",
    "u@a:1",
    "a:1/v1",
    "fd00::1:80",
    "[zz]:1",
    "",
    "a b:1",
  ])
    assert.throws(() => parseTargets(JSON.stringify([{ targets: [target] }])), /not HOST:PORT/, target);
  assert.throws(() => parseTargets('[{"targets":[5]}]'), /not HOST:PORT/);
});

test("a host and a port make a target that goes into a URL", () => {
  assert.equal(targetOf("10.0.0.5", 80), "10.0.0.5:80");
  assert.equal(targetOf("fd00::1", 80), "[fd00::1]:80");
  assert.equal(targetOf("Pod-1.vllm.default.svc.", 8000), "pod-1.vllm.default.svc:8000");
  assert.deepEqual(sorted(["b:1", "a:1", "b:1"]), ["a:1", "b:1"]);
});
