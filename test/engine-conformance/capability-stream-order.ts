import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyFor, CHAT, type CapabilityTarget, endOf, wordsOf } from "./capability.ts";

/** The order of a stream: words, then one reason to end, then usage where it was asked for, and the same words as a whole answer. */
export function streamOrderConformance(target: () => CapabilityTarget): void {
  const messages = [{ role: "user", content: "Say something about the night." }];
  const asked = (more: object): object => bodyFor(target(), { messages, temperature: 0, max_tokens: 16, ...more });

  test("words come before the reason to end, which comes once, and usage after both", async () => {
    const chunks = await target().stream(CHAT, asked({ stream_options: { include_usage: true } }));
    const kinds = chunks.flatMap(({ choices, usage }) => {
      const [choice] = choices;
      if (choice === undefined) return usage === null || usage === undefined ? [] : ["usage"];
      const words = (choice.delta?.content ?? "") === "" ? [] : ["words"];
      return choice.finish_reason === null ? words : [...words, "end"];
    });
    assert.deepEqual([...new Set(kinds)], ["words", "end", "usage"]);
    assert.deepEqual(kinds.slice(-2), ["end", "usage"]);
  });

  test("without asking there is no usage in the stream", async () => {
    const chunks = await target().stream(CHAT, asked({}));
    assert.ok(chunks.every(({ usage }) => usage === null || usage === undefined));
  });

  test("a stream and a whole answer say the same", async () => {
    const { body } = await target().post(CHAT, asked({}));
    const chunks = await target().stream(CHAT, asked({}));
    const [choice] = body.choices;
    assert.deepEqual([wordsOf(chunks), endOf(chunks)], [choice?.message?.content, choice?.finish_reason]);
  });
}
