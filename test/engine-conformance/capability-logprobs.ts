import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyFor, CHAT, COMPLETION, type CapabilityTarget, type TokenLogprob, wordsOf } from "./capability.ts";

const messages = [{ role: "user", content: "Say something." }];

/** Log probabilities: one for each token of the answer, with the likeliest in its place. */
export function logprobsConformance(target: () => CapabilityTarget): void {
  const chat = (more: object) => bodyFor(target(), { messages, seed: 3, max_tokens: 12, ...more });

  test("a whole chat tells each token and the likeliest in its place", async () => {
    const { status, body } = await target().post(CHAT, chat({ logprobs: true, top_logprobs: 3 }));
    assert.equal(status, 200, body.error?.message ?? "");
    const [choice] = body.choices;
    const told = choice?.logprobs?.content ?? [];
    assertTold(told, { text: choice?.message?.content ?? "", top: 3 });
  });

  test("a streamed chat tells the same", async () => {
    const whole = await target().post(CHAT, chat({ logprobs: true, top_logprobs: 2, temperature: 0 }));
    const chunks = await target().stream(CHAT, chat({ logprobs: true, top_logprobs: 2, temperature: 0 }));
    const told = chunks.flatMap(({ choices }) => choices.flatMap(({ logprobs }) => logprobs?.content ?? []));
    assertTold(told, { text: wordsOf(chunks), top: 2 });
    assert.deepEqual(
      told.map(({ token }) => token),
      whole.body.choices[0]?.logprobs?.content?.map(({ token }) => token),
    );
  });

  test("the greedy choice is the likeliest", async () => {
    const { body } = await target().post(CHAT, chat({ logprobs: true, top_logprobs: 1, temperature: 0 }));
    for (const { logprob, top_logprobs: top } of body.choices[0]?.logprobs?.content ?? [])
      assert.ok(Math.abs(logprob - (top[0]?.logprob ?? 1)) < 1e-6);
  });

  test("without asking there are none", async () => {
    const { body } = await target().post(CHAT, chat({}));
    assert.equal(body.choices[0]?.logprobs ?? null, null);
  });

  test("a completion tells parallel lists with offsets into its text", async () => {
    const body = bodyFor(target(), { prompt: "The price of", seed: 3, max_tokens: 8, logprobs: 2 });
    const [choice] = (await target().post(COMPLETION, body)).body.choices;
    const {
      tokens = [],
      token_logprobs: own = [],
      top_logprobs: top = [],
      text_offset: offsets = [],
    } = choice?.logprobs ?? {};
    assert.ok(tokens.length > 0);
    assert.deepEqual([own.length, top.length, offsets.length], Array(3).fill(tokens.length));
    tokens.forEach((token, index) => {
      assert.ok(Math.abs((top[index]?.[token] ?? 1) - (own[index] ?? 2)) < 1e-6, "the chosen one is among them");
      assert.ok((choice?.text ?? "").startsWith(token.trimEnd(), offsets[index]) || token.includes("\ufffd"));
    });
  });

  test("more than there may be is refused", async () => {
    assert.equal((await target().post(CHAT, chat({ logprobs: true, top_logprobs: 21 }))).status, 400);
    assert.equal((await target().post(CHAT, chat({ top_logprobs: 2 }))).status, 400);
  });
}

function assertTold(told: readonly TokenLogprob[], { text, top }: { text: string; top: number }): void {
  assert.ok(told.length > 1);
  assert.equal(Buffer.concat(told.map(({ bytes }) => Buffer.from(bytes ?? []))).toString(), text);
  for (const { logprob, top_logprobs: likeliest } of told) {
    assert.ok(logprob <= 0);
    assert.equal(likeliest.length, top);
    const sum = likeliest.reduce((total, each) => total + Math.exp(each.logprob), 0);
    assert.ok(sum <= 1 + 1e-4, `the likeliest sum to ${sum}`);
    assert.deepEqual(
      likeliest.map((each) => each.logprob),
      likeliest.map((each) => each.logprob).toSorted((one, other) => other - one),
    );
    assert.ok(logprob <= (likeliest[0]?.logprob ?? 0) + 1e-6);
  }
}
