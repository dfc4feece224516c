import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../../test/until.ts";
import { loadConfig } from "../config/load.ts";
import type { DiscoveredConfig } from "../config/types.ts";
import { Discovery } from "./discovery.ts";
import { expand } from "./expand.ts";

function discovered(discover: string): readonly DiscoveredConfig[] {
  const text = `version: 1\nbackends: { vllm: { discover: ${discover}, watts: 700, maxConcurrent: 4 } }\n`;
  return loadConfig(text, "b.yaml").config.discovered;
}

const SHORT = discovered("{ dns: vllm.default.svc, port: 8000, everyMs: 10, keepMs: 200 }");
const SERVICES = discovered("{ dns: _http._tcp.vllm.default.svc.cluster.local }");

/** A name system that answers as the test says. */
function begin() {
  const world = { addresses: ["10.0.0.5"] as readonly string[] | Error, asked: [] as string[], changes: 0 };
  const log: string[] = [];
  const discovery = new Discovery({
    log: (line) => log.push(line),
    changed: () => (world.changes += 1),
    resolver: {
      addresses: async (name) => {
        world.asked.push(name);
        if (world.addresses instanceof Error) throw world.addresses;
        return world.addresses;
      },
      services: async () => [
        { name: "pod-1.vllm.", port: 8001 },
        { name: "pod-0.vllm.", port: 8000 },
      ],
    },
  });
  const follow = async (configs: readonly DiscoveredConfig[]) => {
    const looks = await discovery.look(configs);
    const members = discovery.members(configs, looks);
    discovery.follow(configs, looks);
    return members.get("vllm");
  };
  const members = () => discovery.members(SHORT, []).get("vllm");
  return { world, log, discovery, follow, members, [Symbol.dispose]: () => discovery.stop() };
}

test("all addresses of a name are members, and so are all services where no port is given", async () => {
  using it = begin();
  it.world.addresses = ["fd00::1", "10.0.0.6", "10.0.0.5"];
  assert.deepEqual(await it.follow(SHORT), ["10.0.0.5:8000", "10.0.0.6:8000", "[fd00::1]:8000"]);
  assert.equal(it.world.asked[0], "vllm.default.svc");
  assert.deepEqual(await it.follow(SERVICES), ["pod-0.vllm:8000", "pod-1.vllm:8001"]);
});

test("members that join and leave are told once, and the same ones in another order not at all", async () => {
  using it = begin();
  await it.follow(SHORT);
  it.world.addresses = ["10.0.0.7", "10.0.0.6"];
  await until("the change is told", () => it.world.changes > 0);
  it.world.addresses = ["10.0.0.6", "10.0.0.7"];
  await sleep(60);
  assert.equal(it.world.changes, 1);
  assert.deepEqual(it.members(), ["10.0.0.6:8000", "10.0.0.7:8000"]);
  assert.deepEqual(it.log, ["backend vllm: 10.0.0.6:8000, 10.0.0.7:8000 joined; 10.0.0.5:8000 left"]);
});

test("the last members are kept while the question fails or finds none, for as long as is said, and told of once", async () => {
  using it = begin();
  await it.follow(SHORT);
  it.world.addresses = new Error("queryA ESERVFAIL");
  await sleep(80);
  it.world.addresses = [];
  await sleep(40);
  assert.deepEqual(it.members(), ["10.0.0.5:8000"]);
  await until("nothing is kept any more", () => it.world.changes > 0);
  assert.deepEqual(it.members(), []);
  it.world.addresses = ["10.0.0.5"];
  await until("it is found again", () => it.world.changes > 1);
  assert.deepEqual(it.log, [
    "backend vllm: members cannot be looked up: queryA ESERVFAIL; the last 1 are kept for at most 0.2 s",
    "backend vllm: no members are found; the last 1 are kept for at most 0.2 s",
    "backend vllm: 10.0.0.5:8000 left",
    "backend vllm: members are found again",
    "backend vllm: 10.0.0.5:8000 joined",
  ]);
});

test("a first question that fails gives no members, and another follows", async () => {
  using it = begin();
  it.world.addresses = new Error("ENOTFOUND");
  assert.deepEqual(await it.follow(SHORT), []);
  it.world.addresses = ["10.0.0.5"];
  await until("members are found", () => it.world.changes > 0);
  assert.deepEqual(it.members(), ["10.0.0.5:8000"]);
});

test("members outlive a new configuration that has other times, even while the question fails", async () => {
  using it = begin();
  await it.follow(SHORT);
  it.world.addresses = new Error("ESERVFAIL");
  assert.deepEqual(await it.follow(discovered("{ dns: vllm.default.svc, port: 8000, everyMs: 5000 }")), [
    "10.0.0.5:8000",
  ]);
  assert.deepEqual(await it.follow(discovered("{ dns: other.svc, port: 8000 }")), []);
});

test("what is followed already is not asked again by a new configuration; what is gone is not asked any more", async () => {
  using it = begin();
  const calm = discovered("{ dns: vllm.default.svc, port: 8000 }");
  await it.follow(calm);
  await it.follow(calm);
  assert.equal(it.world.asked.length, 1);
  await it.follow(discovered("{ dns: vllm.default.svc, port: 8001 }"));
  assert.equal(it.world.asked.length, 2);
  await it.follow(SHORT);
  await it.follow([]);
  const asked = it.world.asked.length;
  await sleep(50);
  assert.equal(it.world.asked.length, asked);
});

test("each member is a backend with the settings of the one that it belongs to", () => {
  const text = `
version: 1
backends:
  one: { url: "http://h/v1" }
  vllm: { discover: { dns: x.svc, scheme: https, path: /openai/v1 }, models: [m], watts: 700, headers: { X-Team: a } }
`;
  const source = loadConfig(text, "b.yaml").config;
  const { kernel, engines } = expand(source, new Map([["vllm", ["a:1", "b:2"]]]));
  assert.deepEqual(
    kernel.backends.map(({ id, watts, site }) => [id, watts, site]),
    [
      ["one", null, "local"],
      ["vllm/a:1", 700, "local"],
      ["vllm/b:2", 700, "local"],
    ],
  );
  assert.deepEqual(engines[2], {
    kind: "openai",
    backendId: "vllm/b:2",
    url: "https://b:2/openai/v1",
    key: null,
    headers: { "x-team": "a" },
    discoverModels: false,
    speaks: ["chat", "completions", "embeddings"],
    onLoss: "refuse",
    modelsAreOptional: true,
  });
});
