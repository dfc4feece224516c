import assert from "node:assert/strict";
import { test } from "node:test";
import type { Job } from "../base/job.ts";
import { jobOf } from "../../test/fakes/doors.ts";
import { type Capability, forbids, upstreamModelOf, type Wanted } from "./eligible.ts";

const JOB: Job = { ...jobOf("1"), promptTextLength: 1 };

function capabilityOf(given: Partial<Capability> = {}): Capability {
  return { models: { m: "org/m" }, patterns: [], endpoints: ["chat"], contextTokens: null, ...given };
}

const WANTED: Wanted = { model: "m", card: null, isAllowed: true };

test("a model has its upstream's name, a family's members have theirs, and nothing is known before the names are", () => {
  assert.equal(upstreamModelOf(capabilityOf(), "m"), "org/m");
  assert.equal(upstreamModelOf(capabilityOf(), "x"), null);
  const patterns = [{ prefix: "", upstream: "*" }];
  assert.equal(upstreamModelOf(capabilityOf({ patterns }), "x"), "x");
  assert.equal(upstreamModelOf(capabilityOf({ patterns }), "m"), "org/m");
  assert.equal(upstreamModelOf(capabilityOf({ models: null }), "m"), null);
});

test("names that every object has are not models", () => {
  for (const name of ["constructor", "__proto__", "toString"])
    assert.equal(upstreamModelOf(capabilityOf(), name), null);
});

test("what forbids a backend is named, the first reason in a fixed order", () => {
  const reason = (given: Partial<Capability>, wanted: Partial<Wanted> = {}): string | null =>
    forbids(capabilityOf(given), JOB, { ...WANTED, ...wanted });
  assert.equal(reason({}), null);
  assert.equal(reason({ models: null, endpoints: [] }), "models_unknown");
  assert.equal(reason({ endpoints: [] }, { model: "x" }), "model_not_served");
  assert.equal(reason({ endpoints: ["completions"] }), "endpoint_not_served");
});

test("a model that the caller may not use is excluded like one that is not there", () => {
  const missing = { ...WANTED, model: "x" };
  const denied = { ...WANTED, isAllowed: false };
  for (const models of [null, { m: "m" }])
    assert.equal(forbids(capabilityOf({ models }), JOB, denied), forbids(capabilityOf({ models }), JOB, missing));
});

test("only a text that no tokenizer can fit is refused for its length", () => {
  const fits = (promptTextLength: number): string | null =>
    forbids(capabilityOf({ contextTokens: 100 }), { ...JOB, promptTextLength }, WANTED);
  assert.equal(fits(1_600), null);
  assert.equal(fits(1_601), "context_too_small");
});
