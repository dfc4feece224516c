import assert from "node:assert/strict";
import { test } from "node:test";
import { assertRefused, type CapabilityTarget, CHAT } from "./capability.ts";

/** What the API behind the server has no word for is refused by its name, never left out in silence. */
export function refusalsConformance(target: () => CapabilityTarget): void {
  const messages = [{ role: "user", content: "Say something." }];

  test("what the API has no word for is refused by its name, whole and streamed", async () => {
    for (const [member, value] of target().refused ?? []) {
      for (const stream of [false, true]) {
        const body = { model: target().model, ...target().more, messages, [member]: value, stream };
        assertRefused(await target().post(CHAT, body), member);
      }
    }
  });

  test("without it the same is answered", async () => {
    const { status } = await target().post(CHAT, { model: target().model, ...target().more, messages });
    assert.equal(status, 200);
  });
}
