import { describe, it } from "node:test";
import type { MockHandle } from "../upstream/mock-upstream.ts";
import { FEATURES } from "./check.ts";
import type { Check, Feature, SuiteContext, UsageSaid } from "./check.ts";
import { againChecks } from "./checks/again.ts";
import { failingChecks } from "./checks/failing.ts";
import type { Head } from "./client.ts";
import { leavingChecks } from "./checks/leaving.ts";
import { requestChecks } from "./checks/requests.ts";
import { stageChecks } from "./checks/stages.ts";
import { streamingChecks } from "./checks/streaming.ts";
import { usageChecks } from "./checks/usage.ts";

/** A gateway to run the suite against. Its upstream is the mock; it serves the mock's models, and the arrangements of what it claims. */
export interface GatewayUnderTest {
  readonly name: string;
  /** The gateway's URL, ending in `/v1`. */
  readonly baseUrl: string;
  readonly upstream: MockHandle;
  /** What the gateway is expected to do beyond the basis. Checks that need more are skipped with the reason. */
  readonly features: ReadonlySet<Feature>;
  readonly apiKey?: string;
  /** Makes the gateway's model name from the mock's; the same name unless given. */
  readonly modelName?: (mockModel: string) => string;
  /** The longest that a check waits for any one thing; 5,000 unless given. */
  readonly patienceMs?: number;
  /** The gateway's longest timer for headers, first token and silence, where it has the feature `timers`; 2,000 unless given. */
  readonly timersMs?: number;
  /** What it says afterwards that a request used, by the head of its answer. */
  readonly usageOf?: (head: Head) => Promise<UsageSaid>;
}

/** Every check, in the order of the reference's table and rules. */
export const checks: readonly Check[] = [
  ...streamingChecks,
  ...usageChecks,
  ...leavingChecks,
  ...failingChecks,
  ...requestChecks,
  ...againChecks,
  ...stageChecks,
].toSorted((left, right) => order(left.id) - order(right.id));

function order(id: string): number {
  return /^\d+$/.test(id) ? Number(id) : 100 + id.charCodeAt(0);
}

/** Why a check is not run against a gateway, or undefined if it is. */
export function skipReason(check: Check, features: ReadonlySet<Feature>): string | undefined {
  return check.needs && !features.has(check.needs)
    ? `not claimed by this gateway: ${FEATURES[check.needs]}`
    : undefined;
}

/** What checks work with, from the description of a gateway. */
export function contextOf(gateway: GatewayUnderTest, note: (text: string) => void): SuiteContext {
  return {
    baseUrl: gateway.baseUrl,
    upstream: gateway.upstream,
    ...(gateway.apiKey === undefined ? {} : { apiKey: gateway.apiKey }),
    modelName: gateway.modelName ?? ((mockModel) => mockModel),
    patienceMs: gateway.patienceMs ?? 5000,
    features: gateway.features,
    ...(gateway.usageOf === undefined ? {} : { usageOf: gateway.usageOf }),
    timersMs: gateway.features.has("timers") ? (gateway.timersMs ?? 2000) : 0,
    note,
  };
}

/** Declares the suite with node:test, one test for each behaviour. */
export function gatewaySuite(gateway: GatewayUnderTest): void {
  describe(`gateway behaviours: ${gateway.name}`, () => {
    for (const check of checks) {
      it(check.title, { skip: skipReason(check, gateway.features) ?? false }, async (test) => {
        await check.run(contextOf(gateway, (text) => test.diagnostic(text)));
      });
    }
  });
}
