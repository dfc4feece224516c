import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCommand, UsageError } from "../cli.ts";
import { type BenchOptions, readOptions } from "./options.ts";
import { BENCH } from "./spec.ts";

const URL_HERE = "http://127.0.0.1:8080";

function read(args: readonly string[], env: Record<string, string> = {}): BenchOptions {
  return readOptions(parseCommand(BENCH, args), env);
}

test("wrong usage says what to do", () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /takes one URL/],
    [["127.0.0.1:8080"], /not an http or https URL/],
    [["http://user:pass@127.0.0.1:1"], /--key-env/],
    [[URL_HERE, "--rate", "fast"], /--rate takes a number/],
    [[URL_HERE, "--rate", "0"], /--rate takes a number from 0.001/],
    [[URL_HERE, "--rate", "1e3"], /--rate takes a number/],
    [[URL_HERE, "--arrivals", "sometimes"], /--arrivals takes poisson, gamma, constant, burst/],
    [[URL_HERE, "--prompt-tokens", "9..3"], /N or N..M/],
    [[URL_HERE, "--prompt-tokens", "9", "--shared-prefix-tokens", "10"], /whole number from 0 to 9/],
    [[URL_HERE, "--cv", "2"], /--cv is for --arrivals gamma/],
    [[URL_HERE, "--stream", "--no-stream"], /exclude each other/],
    [[URL_HERE, "--no-stream", "--slo-ttft-ms", "5"], /--slo-e2e-ms/],
    [[URL_HERE, "--fail-under-goodput", "5"], /needs an objective/],
    [[URL_HERE, "--key-env", "NO_SUCH_VARIABLE"], /is not set/],
    [[URL_HERE, "--body", '{"max_tokens": 5}'], /an option of its own/],
    [[URL_HERE, "--body", "[]"], /not a JSON object/],
    [[URL_HERE, "--class", "a\nb: c"], /visible characters/],
  ];
  for (const [args, message] of cases) {
    assert.throws(
      () => read(args),
      (error) => error instanceof UsageError && message.test(error.message),
      args.join(" "),
    );
  }
});

test("a URL is taken with or without /v1, a longer path, or the endpoint's own", () => {
  const paths = ["", "/", "/v1", "/v1/", "/v1/chat/completions", "/gateway/v1"].map(
    (path) => read([URL_HERE + path]).basePath,
  );
  assert.deepEqual(paths, ["/v1", "/v1", "/v1", "/v1", "/v1", "/gateway/v1"]);
  assert.equal(read(["https://api.example.com/v1"]).origin, "https://api.example.com");
});

test("what is not said has a modest default, and a seed that is not the last one's", () => {
  const { arrivals, requests } = read([URL_HERE]);
  assert.deepEqual([arrivals.ratePerSecond, arrivals.requests, arrivals.durationMs], [1, 30, null]);
  assert.deepEqual([requests.stream, requests.endpoint, requests.seed], [true, "chat", arrivals.seed]);
  assert.deepEqual(read([URL_HERE, "--duration", "2.5"]).arrivals.requests, null);
  const seeds = new Set(Array.from({ length: 20 }, () => read([URL_HERE]).arrivals.seed));
  assert.ok(seeds.size > 1);
});

test("the key comes from the environment alone", () => {
  assert.equal(read([URL_HERE, "--key-env", "A_KEY"], { A_KEY: "sk-1" }).key, "sk-1");
  assert.throws(() => read([URL_HERE, "--key-env", "A_KEY"], { A_KEY: "sk-1\r\nx: y" }), UsageError);
});
