import assert from "node:assert/strict";
import { test } from "node:test";
import { Prompts, type RequestPlan } from "./prompt.ts";

const PLAN: RequestPlan = {
  model: 'a "quoted" model',
  endpoint: "chat",
  stream: true,
  promptTokens: { low: 40, high: 60 },
  outputTokens: { low: 5, high: 9 },
  sharedPrefixTokens: 0,
  outputMember: "max_tokens",
  body: {},
  seed: "1",
};

interface Body {
  readonly messages: readonly { readonly content: string }[];
  readonly max_tokens: number;
}

function bodiesOf(plan: RequestPlan, count: number): Body[] {
  const prompts = new Prompts(plan);
  return Array.from({ length: count }, () => JSON.parse(prompts.next().toString()) as Body);
}

const wordsOf = (body: Body): string[] => (body.messages[0]?.content ?? "").trim().split(" ");

test("bodies are JSON of the asked sizes, the same for the same seed", () => {
  const bodies = bodiesOf(PLAN, 400);
  assert.deepEqual(bodiesOf(PLAN, 400), bodies);
  assert.notDeepEqual(bodiesOf({ ...PLAN, seed: "2" }, 400), bodies);
  const prompts = bodies.map((body) => wordsOf(body).length);
  const outputs = bodies.map((body) => body.max_tokens);
  assert.deepEqual([Math.min(...prompts), Math.max(...prompts)], [40, 60]);
  assert.deepEqual([Math.min(...outputs), Math.max(...outputs)], [5, 9]);
});

test("prompts differ from their first words on, except for the shared prefix", () => {
  const begin = (from: number, plan: RequestPlan): Set<string> =>
    new Set(
      bodiesOf(plan, 300).map((body) =>
        wordsOf(body)
          .slice(from, from + 4)
          .join(" "),
      ),
    );
  assert.equal(begin(0, PLAN).size, 300);
  const shared = { ...PLAN, sharedPrefixTokens: 20 };
  assert.equal(new Set(bodiesOf(shared, 300).map((body) => wordsOf(body).slice(0, 20).join(" "))).size, 1);
  assert.equal(begin(20, shared).size, 300);
});

test("a completion's body is made of the members asked for, and nothing else", () => {
  const range = { low: 3, high: 3 };
  const plan = { ...PLAN, stream: false, promptTokens: range, outputTokens: range };
  const body: unknown = JSON.parse(
    new Prompts({
      ...plan,
      endpoint: "completions",
      outputMember: "max_completion_tokens",
      body: { ignore_eos: true },
    })
      .next()
      .toString(),
  );
  assert.deepEqual(Object.keys(body as object), ["model", "prompt", "max_completion_tokens", "ignore_eos"]);
  const streamed = bodiesOf(PLAN, 1)[0] as unknown as Record<string, unknown>;
  assert.deepEqual([streamed["model"], streamed["stream"]], [PLAN.model, true]);
  assert.deepEqual(streamed["stream_options"], { include_usage: true });
  assert.deepEqual(Object.keys(bodiesOf({ ...PLAN, stream: false }, 1)[0] as object), [
    "model",
    "messages",
    "max_tokens",
  ]);
});

test("a prompt longer than the text it is cut from goes round", () => {
  const range = { low: 150_000, high: 150_000 };
  assert.equal(wordsOf(bodiesOf({ ...PLAN, promptTokens: range }, 1)[0] as Body).length, 150_000);
});
