/**
 * What every engine behind the port must do: one suite, run by each adapter's test with an upstream of its kind. Whatever an
 * engine cannot be made to do is skipped with the reason that its test gives.
 */
import { after, before, describe, test } from "node:test";
import { answerChecks } from "./answer-checks.ts";
import { failureChecks } from "./failure-checks.ts";
import { flowChecks } from "./flow-checks.ts";
import { lifeChecks } from "./life-checks.ts";
import { type Checks, type ConformanceOptions, isSkip, type Subject } from "./subject.ts";
import { watchChecks } from "./watch-checks.ts";

/** Registers the suite for one engine. */
export function engineConformance(options: ConformanceOptions): void {
  describe(`${options.name} as an engine`, { concurrency: false }, () => {
    let shared: Subject | null = null;
    before(async () => {
      shared = await options.make();
    });
    after(() => shared?.close());
    const subject = (): Subject => {
      if (shared === null) throw new Error("the engine is made before the checks run");
      return shared;
    };
    const on: Checks["on"] = (name, title, check) => {
      const ask = options.models[name];
      if (isSkip(ask)) test(title, { skip: ask.skip }, () => {});
      else test(title, () => check(ask));
    };
    const checks = { options, subject, on };
    describe("answers", () => answerChecks(checks));
    describe("flow", () => flowChecks(checks));
    describe("watch", () => watchChecks(checks));
    describe("failures", () => failureChecks(checks));
    describe("life", () => lifeChecks(checks));
  });
}
