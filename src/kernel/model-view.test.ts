import assert from "node:assert/strict";
import { test } from "node:test";
import { type ModelView, UNKNOWN_MODEL } from "../base/model.ts";
import { backendOf, configOf, Driver } from "../sim/driver.ts";
import type { KernelConfig, Price } from "./config.ts";

const priceOf = (input: number, given: Partial<Price> = {}): Price => ({
  inputNanoUsdPerMillion: input,
  cachedInputNanoUsdPerMillion: null,
  cacheWriteNanoUsdPerMillion: null,
  outputNanoUsdPerMillion: 2 * input,
  reasoningNanoUsdPerMillion: null,
  ...given,
});

const views = (driver: Driver, tenant = "any", key: string | null = null): readonly ModelView[] =>
  driver.kernel.models({ tenant, key });
const names = (list: readonly ModelView[]): readonly string[] => list.map(({ model }) => model);

function driverOf(backends: KernelConfig["backends"], given: Partial<KernelConfig> = {}): Driver {
  return new Driver(configOf(backends, given));
}

test("an entry has its aliases, the room of its roomiest backend within its own, and the lowest price", () => {
  const backends = [
    backendOf("a", { contextTokens: 1_000, price: priceOf(5, { cachedInputNanoUsdPerMillion: 1 }) }),
    backendOf("b", { contextTokens: 9_000, price: priceOf(3) }),
  ];
  const driver = driverOf(backends, {
    models: { m: { ...UNKNOWN_MODEL, contextTokens: 4_000, ownedBy: "org" } },
    aliases: { n: ["m"] },
  });
  const [view] = views(driver);
  assert.deepEqual(
    [view?.model, view?.aliases, view?.contextTokens, view?.ownedBy, view?.backendIds],
    ["m", ["n"], 4_000, "org", ["a", "b"]],
  );
  assert.deepEqual(view?.price, {
    inputNanoUsdPerMillion: 3,
    cachedInputNanoUsdPerMillion: 1,
    cacheWriteNanoUsdPerMillion: null,
    outputNanoUsdPerMillion: 6,
    reasoningNanoUsdPerMillion: null,
    isFrom: true,
  });
});

test("one price is no range, an unknown one beside it makes it one, and none at all is unknown", () => {
  const priceWith = (...prices: readonly (Price | null)[]): ModelView["price"] | undefined =>
    views(driverOf(prices.map((price, index) => backendOf(`b${index}`, { price }))))[0]?.price;
  assert.equal(priceWith(priceOf(3), priceOf(3, { cachedInputNanoUsdPerMillion: 3 }))?.isFrom, false);
  assert.equal(priceWith(priceOf(3), null)?.isFrom, true);
  assert.equal(priceWith(null), null);
  assert.equal(priceWith(priceOf(0))?.inputNanoUsdPerMillion, 0);
});

test("a family is listed by what its backend reported, under the clients' names, and not at all before", () => {
  const driver = driverOf([backendOf("a", { models: { "gpt-*": "openai/gpt-*", own: "own" } })]);
  assert.deepEqual(names(views(driver)), ["own"]);
  const models = ["openai/gpt-5", "openai/o9", "gpt-4"];
  driver.step({ kind: "observed", backendId: "a", state: "up", models, contextTokens: null });
  assert.deepEqual(names(views(driver)), ["own", "gpt-5"]);
});

test("each caller sees what it may use, and an alias of models that it may not see by itself", () => {
  const access = {
    acme: { allow: ["fast", "small"], deny: [], keys: { k: { allow: null, deny: ["big"] } } },
    narrow: { allow: ["nothing"], deny: [], keys: {} },
  };
  const models = { big: "big", small: "small", secret: "secret" };
  const aliases = { fast: ["big"], tiny: ["small"] };
  const driver = driverOf([backendOf("a", { models })], { access, aliases });
  assert.deepEqual(names(views(driver)), ["big", "small", "secret"]);
  assert.deepEqual(names(views(driver, "acme")), ["small", "fast"]);
  assert.deepEqual(
    views(driver, "acme").map(({ aliases: each }) => each),
    [["tiny"], []],
  );
  assert.deepEqual(names(views(driver, "acme", "k")), ["small"]);
  assert.deepEqual(views(driver, "narrow"), []);
});

test("an alias of several models says what holds for all of them", () => {
  const models = {
    a: {
      ...UNKNOWN_MODEL,
      contextTokens: 10,
      maxOutputTokens: 5,
      inputModalities: ["text", "image"],
      capabilities: { tools: true },
    },
    b: {
      ...UNKNOWN_MODEL,
      contextTokens: 20,
      inputModalities: ["text"],
      capabilities: { tools: true, reasoning: false },
    },
  } as const;
  const backends = [
    backendOf("x", { models: { a: "a" }, price: priceOf(7) }),
    backendOf("y", { models: { b: "b" }, price: priceOf(4) }),
  ];
  const driver = driverOf(backends, { models, aliases: { either: ["a", "b", "gone"] } });
  const either = views(driver).find(({ model }) => model === "either");
  assert.deepEqual(either?.aliasOf, ["a", "b"]);
  assert.deepEqual(
    [either?.contextTokens, either?.maxOutputTokens, either?.inputModalities, either?.capabilities],
    [10, null, ["text"], { tools: true }],
  );
  assert.deepEqual([either?.price?.inputNanoUsdPerMillion, either?.price?.isFrom], [4, true]);
});
