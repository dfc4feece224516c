import assert from "node:assert/strict";
import { test } from "node:test";
import { type ModelCard, UNKNOWN_MODEL } from "../base/model.ts";
import { backendOf, configOf, Driver } from "../sim/driver.ts";
import type { Command, Send } from "./command.ts";

const sent = (commands: readonly Command[]): Send | undefined =>
  commands.find((command): command is Send => command.kind === "send");

function refused(commands: readonly Command[]): unknown {
  const answer = commands.find((command) => command.kind === "answer");
  return answer?.kind === "answer" && !answer.result.ok ? [answer.result.code, answer.result.detail] : null;
}

test("an alias is sent under the upstream's name, and the receipt has all three", () => {
  const driver = new Driver(configOf([backendOf("a", { models: { m: "org/m" } })], { aliases: { fast: ["m"] } }));
  const send = sent(driver.arrive("1", { model: "fast" }));
  assert.deepEqual([send?.upstreamModel, send?.edits.model], ["org/m", "org/m"]);
  driver.finish("1");
  const receipt = driver.receipts.get("1");
  assert.deepEqual([receipt?.model, receipt?.resolvedModel, receipt?.upstreamModel], ["fast", "m", "org/m"]);
});

test("an alias of several takes the first that some backend may serve, waits for it, and goes on when it failed there", () => {
  const backends = [backendOf("a", { models: { m: "m" } }), backendOf("b", { models: { n: "n" }, maxConcurrent: 9 })];
  const driver = new Driver(configOf(backends, { aliases: { best: ["gone", "m", "n"] } }));
  assert.equal(sent(driver.arrive("1", { model: "best" }))?.backendId, "a");
  assert.equal(
    sent(driver.arrive("2", { model: "best" })),
    undefined,
    "it waits for the first rather than take the next",
  );
  const fallback = sent(driver.fail("1"));
  assert.deepEqual([fallback?.backendId, fallback?.upstreamModel], ["b", "n"]);
  driver.finish("1", undefined, 2);
  const receipt = driver.receipts.get("1");
  assert.equal(receipt?.resolvedModel, "n");
  assert.deepEqual(receipt?.choice.excluded, [
    { backendId: "a", reason: "already_tried", model: "gone" },
    { backendId: "b", reason: "model_not_served", model: "gone" },
    { backendId: "a", reason: "already_tried", model: "m" },
    { backendId: "b", reason: "model_not_served", model: "m" },
    { backendId: "a", reason: "already_tried" },
  ]);
});

test("a model that may not be used is answered, and written on the receipt, like one that is not there", () => {
  const access = { tenant: { allow: null, deny: ["m"], keys: {} } };
  const driver = new Driver(
    configOf([backendOf("a", { models: { m: "m", x: "x" }, maxConcurrent: 9 })], {
      access,
      aliases: { alias: ["m"], either: ["m", "x"] },
    }),
  );
  assert.deepEqual(refused(driver.arrive("1", { model: "m" })), ["model_not_found", "m"]);
  assert.deepEqual(refused(driver.arrive("2", { model: "q" })), ["model_not_found", "q"]);
  assert.deepEqual(refused(driver.arrive("3", { model: "alias" })), ["model_not_found", "alias"]);
  assert.equal(sent(driver.arrive("4", { model: "x" }))?.backendId, "a");
  assert.equal(sent(driver.arrive("5", { model: "either" }))?.upstreamModel, "x");
  driver.finish("5");
  assert.deepEqual(driver.receipts.get("5")?.choice.excluded, [], "nothing tells that there was another");
  const [denied, missing] = [driver.receipts.get("1"), driver.receipts.get("2")];
  assert.deepEqual({ ...denied, model: "", receiptId: "" }, { ...missing, model: "", receiptId: "" });
});

test("what the model is known not to do is refused in words, and an alias goes on to one that does it", () => {
  const needs = { tools: true, jsonSchema: false, images: true, audio: false };
  const plain: ModelCard = { ...UNKNOWN_MODEL, inputModalities: ["text"], capabilities: { tools: false } };
  const models = { m: { ...plain, contextTokens: 100, maxOutputTokens: 50 }, n: UNKNOWN_MODEL };
  const backends = [backendOf("a", { models: { m: "m", n: "n" }, maxConcurrent: 9 })];
  const driver = new Driver(configOf(backends, { models, aliases: { best: ["m", "n"] } }));
  assert.deepEqual(refused(driver.arrive("1", { model: "m", needs })), [
    "content_unsupported",
    "m takes no images and no tools",
  ]);
  assert.deepEqual(refused(driver.arrive("2", { model: "m", maxOutputTokens: 51 })), ["output_limit_exceeded", "m"]);
  assert.deepEqual(refused(driver.arrive("3", { model: "m", maxOutputTokens: 98 })), ["context_length_exceeded", "m"]);
  assert.equal(sent(driver.arrive("4", { model: "best", needs }))?.upstreamModel, "n");
});
