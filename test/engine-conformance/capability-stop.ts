import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyFor, CHAT, type CapabilityTarget, endOf, wordsOf } from "./capability.ts";

/** Stop sequences: an answer ends before the first of them, whole and streamed. */
export function stopConformance(target: () => CapabilityTarget): void {
  const messages = [{ role: "user", content: "Say something about light." }];
  const asked = (more: object): object => bodyFor(target(), { messages, temperature: 0, max_tokens: 24, ...more });

  test("an answer ends before its stop sequence, and says that it ended", async () => {
    const { body } = await target().post(CHAT, asked({}));
    const full = body.choices[0]?.message?.content ?? "";
    const middle = full.slice(Math.floor(full.length / 2)).slice(0, 3);
    assert.equal(middle.length, 3, full);
    const expected = full.slice(0, full.indexOf(middle));
    const whole = await target().post(CHAT, asked({ stop: ["\u0001 never", middle] }));
    assert.equal(whole.status, 200, whole.body.error?.message ?? "");
    assert.equal(whole.body.choices[0]?.message?.content, expected);
    assert.equal(whole.body.choices[0].finish_reason, "stop");
    const chunks = await target().stream(CHAT, asked({ stop: middle }));
    assert.deepEqual([wordsOf(chunks), endOf(chunks)], [expected, "stop"]);
  });
}
