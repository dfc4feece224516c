import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseUsage, usageOf } from "./usage.ts";

const reported = {
  inputTokens: null,
  cachedInputTokens: null,
  cacheWriteTokens: null,
  outputTokens: null,
  reasoningTokens: null,
  reportedCostNanoUsd: null,
  method: "provider_reported",
};

test("explicit zeros stay zero, and what is absent is null", () => {
  assert.deepEqual(parseUsage({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }), {
    ...reported,
    inputTokens: 0,
    outputTokens: 0,
  });
  assert.deepEqual(parseUsage({ prompt_tokens: 3 }), { ...reported, inputTokens: 3 });
});

test("details are read, and null details are no details", () => {
  const usage = { prompt_tokens: 9, completion_tokens: 5 };
  const details = {
    prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 2 },
    completion_tokens_details: { reasoning_tokens: 4 },
  };
  const wanted = { ...reported, inputTokens: 9, outputTokens: 5 };
  assert.deepEqual(parseUsage({ ...usage, ...details }), {
    ...wanted,
    cachedInputTokens: 0,
    cacheWriteTokens: 2,
    reasoningTokens: 4,
  });
  assert.deepEqual(
    parseUsage({ ...usage, prompt_tokens_details: null, completion_tokens_details: { reasoning_tokens: null } }),
    wanted,
  );
});

test("a cost in dollars becomes nano-dollars, and a cost that cannot be one is unknown", () => {
  const cost = (value: unknown): number | null | undefined =>
    parseUsage({ prompt_tokens: 1, completion_tokens: 1, cost: value })?.reportedCostNanoUsd;
  assert.equal(cost(0.00014), 140_000);
  assert.equal(cost(0), 0);
  assert.equal(cost(1e-9), 1);
  for (const bad of [-1, "0.1", null, undefined, Number.NaN, 1e30]) assert.equal(cost(bad), null);
});

test("what is no usage object is null, and no count is negative, broken or beyond exact integers", () => {
  for (const none of [null, undefined, 3, "x", [], {}, { total_tokens: 3 }]) assert.equal(parseUsage(none), null);
  for (const bad of [-1, 1.5, "7", 2 ** 53, null]) {
    assert.equal(parseUsage({ prompt_tokens: bad, completion_tokens: 1 })?.inputTokens, null);
  }
  fc.assert(
    fc.property(fc.anything(), (value) => {
      const usage = parseUsage(value);
      if (usage === null) return;
      for (const figure of Object.values(usage)) {
        assert.ok(figure === null || figure === "provider_reported" || (Number.isSafeInteger(figure) && figure >= 0));
      }
    }),
  );
});

test("DeepSeek's cache hits are the cached tokens; OpenAI's own word wins", () => {
  const usage = { prompt_tokens: 10, completion_tokens: 1, prompt_cache_hit_tokens: 8, prompt_cache_miss_tokens: 2 };
  assert.equal(parseUsage(usage)?.cachedInputTokens, 8);
  assert.equal(parseUsage({ ...usage, prompt_tokens_details: { cached_tokens: 0 } })?.cachedInputTokens, 0);
});

test("llama.cpp's timings say what was cached, and everything where there is no usage", () => {
  const timings = { cache_n: 236, prompt_n: 1, prompt_ms: 30.958, predicted_n: 35, predicted_ms: 661.064 };
  const usage = { prompt_tokens: 237, completion_tokens: 35, total_tokens: 272 };
  const wanted = { ...reported, inputTokens: 237, cachedInputTokens: 236, outputTokens: 35 };
  assert.deepEqual(usageOf({ usage, timings }), wanted);
  assert.deepEqual(usageOf({ timings }), wanted);
  assert.deepEqual(usageOf({ usage: { ...usage, prompt_tokens_details: { cached_tokens: 0 } }, timings }), {
    ...wanted,
    cachedInputTokens: 0,
  });
  assert.deepEqual(usageOf({ timings: { prompt_n: 7, predicted_n: 3 } }), { ...reported, outputTokens: 3 });
  for (const none of [{}, { timings: null }, { timings: { cache_n: 1, prompt_n: 2 } }, null, 3]) {
    assert.equal(usageOf(none), null);
  }
});

test("Ollama's zero is unknown, and anything else it says is taken", () => {
  const cached = (tokens: unknown, fingerprint = "fp_ollama") =>
    usageOf({
      system_fingerprint: fingerprint,
      usage: { prompt_tokens: 9, completion_tokens: 1, prompt_tokens_details: { cached_tokens: tokens } },
    })?.cachedInputTokens;
  assert.deepEqual([cached(0), cached(4), cached(0, "fp_other")], [null, 4, 0]);
});
