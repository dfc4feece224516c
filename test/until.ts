import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/** Waits until `condition` holds; fails with `what` when it does not within ten seconds, which no working machine needs. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!(await condition())) {
    assert.ok(performance.now() < endMs, `waited in vain until ${what}`);
    await sleep(2);
  }
}
