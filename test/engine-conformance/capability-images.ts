import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyFor, CHAT, type CapabilityTarget } from "./capability.ts";

// One white pixel.
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";

/** Pictures: they reach the model, who reads more then than words alone; a model that has no eyes says so. */
export function imagesConformance(target: () => CapabilityTarget): void {
  const words = { type: "text", text: "What is on it?" };
  const picture = { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } };
  const asked = (content: readonly object[], more: object = {}): object =>
    bodyFor(target(), { messages: [{ role: "user", content }], max_tokens: 8, ...more });

  test("a picture is read along with the words, whole and streamed, or refused by a model without eyes", async () => {
    const seen = await target().post(CHAT, asked([words, picture]));
    if (target().hasEyes === false) {
      assert.equal(seen.status, 400);
      assert.match(seen.body.error?.message ?? "", /image/);
      return;
    }
    const { body: blind } = await target().post(CHAT, asked([words]));
    assert.equal(seen.status, 200, seen.body.error?.message ?? "");
    const [more, less] = [seen.body.usage?.prompt_tokens ?? 0, blind.usage?.prompt_tokens ?? 0];
    assert.ok(more > less && less > 0, `${more} tokens with a picture, ${less} without`);
    const chunks = await target().stream(CHAT, asked([words, picture], { stream_options: { include_usage: true } }));
    assert.equal(chunks.at(-1)?.usage?.prompt_tokens, more);
  });

  test("the same picture in an earlier turn is read too", async () => {
    if (target().hasEyes === false) return;
    const messages = [
      { role: "user", content: [words, picture] },
      { role: "assistant", content: "A pixel." },
      { role: "user", content: "Of what colour?" },
    ];
    const { status, body } = await target().post(CHAT, bodyFor(target(), { messages, max_tokens: 8 }));
    assert.equal(status, 200, body.error?.message ?? "");
  });
}
