import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyFor, CHAT, type CapabilityTarget } from "./capability.ts";

/** Prompt caching: what is reported as cached is part of the prompt, and the next turn of a chat reuses the last one's. */
export function cachedTokensConformance(target: () => CapabilityTarget): void {
  const turn = async (messages: readonly object[]) => {
    const { status, body } = await target().post(CHAT, bodyFor(target(), { messages, max_tokens: 8, seed: 5 }));
    assert.equal(status, 200, body.error?.message ?? "");
    const { usage } = body;
    assert.ok(usage !== undefined && usage !== null);
    return {
      text: body.choices[0]?.message?.content ?? "",
      prompt: usage.prompt_tokens,
      cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
    };
  };

  test("the next turn of a chat reuses the last one's prompt", async () => {
    const first = [{ role: "user", content: "The wind and the river in winter, and the price of light." }];
    const one = await turn(first);
    const two = await turn([
      ...first,
      { role: "assistant", content: one.text },
      { role: "user", content: "And in summer?" },
    ]);
    assert.ok(one.cached < one.prompt && two.cached < two.prompt, "the last token is always computed");
    assert.ok(two.cached >= one.prompt - 2, `${two.cached} of a first prompt of ${one.prompt}`);
  });

  test("a prompt that begins otherwise reuses nothing of another's words", async () => {
    const words = "story about a bridge ".repeat(10);
    await turn([{ role: "user", content: `One ${words}` }]);
    const other = await turn([{ role: "user", content: `Two ${words}` }]);
    assert.ok(other.cached < other.prompt / 2, `${other.cached} of ${other.prompt}`);
  });
}
