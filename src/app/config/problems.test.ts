import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ConfigError, formatProblems, loadConfig } from "./load.ts";

/** The printed problems of a text that must be refused. */
function problems(text: string): string[] {
  try {
    loadConfig(text, "b.yaml");
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.message, formatProblems(error.problems));
    for (const problem of error.problems)
      assert.ok(problem.remedy.length > 0 && problem.line >= 1 && problem.column >= 1);
    return error.message.split("\n");
  }
  return assert.fail("the file was accepted");
}

const BACKENDS = "backends: {main: {engine: embedded}}\n";

/** The problems of one backend's line; the line is line 4 of the file. */
function backendProblems(line: string): string[] {
  return problems(`version: 1\nbackends:\n  main:\n    ${line}\n`);
}

test("an empty file, a list, and nothing but a version", () => {
  for (const text of ["", "# only a comment\n", "---\n"]) {
    assert.deepEqual(problems(text), [
      "b.yaml:1:1: the file is empty → begin it with version: 1 and add backends:; see examples/",
    ]);
  }
  assert.match(problems("- a\n")[0] ?? "", /^b\.yaml:1:1: the file must be a mapping/);
  assert.deepEqual(problems("version: 1\n"), [
    "b.yaml:1:1: backends: missing → add at least one, such as local: {engine: embedded}",
  ]);
  assert.deepEqual(problems("version: 1\nbackends: {}\n"), [
    "b.yaml:2:1: backends: no backend is given → add at least one, such as local: {engine: embedded}",
  ]);
  assert.deepEqual(problems(`version: 2\n${BACKENDS}`), ["b.yaml:1:1: version: must be 1 → write 1"]);
  assert.deepEqual(problems(BACKENDS), ["b.yaml:1:1: version: missing → begin the file with version: 1"]);
});

test("syntax errors and duplicate keys have their line", () => {
  assert.match(problems("version: 1\nbackends:\n\tmain: {}\n")[0] ?? "", /^b\.yaml:3:1: not valid YAML: .*→ /);
  assert.match(problems("version: 1\nserver: {port: 1\n")[0] ?? "", /^b\.yaml:\d+:\d+: not valid YAML/);
  assert.match(
    problems("version: 1\nbackends: *none\n")[0] ?? "",
    /^b\.yaml:2:1: backends: this alias has no anchor above it → define/,
  );
  assert.deepEqual(problems(`version: 1\n${BACKENDS}server: {port: 1}\nserver: {port: 2}\n`), [
    'b.yaml:4:1: server: the key "server" is written twice → remove or rename this one',
  ]);
  assert.match(
    problems(`version: 1\n${BACKENDS}__proto__: {port: 2}\n`)[0] ?? "",
    /^b\.yaml:3:1: __proto__: this name cannot be used/,
  );
});

test("trusted proxies are addresses or networks, and a certificate has two files", () => {
  const server = (section: string): string[] => problems(`version: 1\n${BACKENDS}server: ${section}\n`);
  for (const text of ["everyone", "10.0.0.0/33", "10.0.0.0/8/8"]) {
    assert.deepEqual(server(`{trustedProxies: ["::1", "${text}"]}`), [
      "b.yaml:3:34: server.trustedProxies[1]: not an address or a network → write it as 10.0.0.0/8, 192.0.2.1 or fd00::/8",
    ]);
  }
  assert.match(server("{tls: {certFile: a.pem}}")[0] ?? "", /server\.tls\.keyFile: missing/);
});

test("reserved keys are refused until they do something", () => {
  assert.deepEqual(problems(`version: 1\n${BACKENDS}objective: cost\npolicy: []\n`), [
    "b.yaml:3:1: objective: reserved for a later version → remove it",
    "b.yaml:4:1: policy: reserved for a later version → remove it",
  ]);
});

test("unknown keys suggest the nearest known one of their place", () => {
  assert.deepEqual(problems(`version: 1\n${BACKENDS}server:\n  port: 1\n  max_body_bytes: 2\n`), [
    "b.yaml:5:3: server.max_body_bytes: unknown key → did you mean maxBodyBytes?",
  ]);
  assert.deepEqual(backendProblems("{engine: embedded, modle: x}"), [
    "b.yaml:4:24: backends.main.modle: unknown key → did you mean model?",
  ]);
  assert.deepEqual(backendProblems("{url: http://h/v1, watch: {idleMS: 3}}"), [
    "b.yaml:4:32: backends.main.watch.idleMS: unknown key → did you mean idleMs?",
  ]);
  assert.match(
    problems(`version: 1\n${BACKENDS}tenants: {t: {keys: [{name: a, env: A, colour: x}]}}\n`)[0] ?? "",
    /colour: unknown key → remove it, or use one of name, env, file, sha256, admin, models, denyModels$/,
  );
});

test("urls", () => {
  assert.match(backendProblems("url: ftp://h/v1")[0] ?? "", /^b\.yaml:4:5: backends\.main\.url: must begin with http/);
  assert.match(backendProblems("url: localhost:8000/v1")[0] ?? "", /must begin with http/);
  assert.match(backendProblems("url: http://")[0] ?? "", /must begin with http/);
  assert.match(backendProblems("url: http://h:99999/v1")[0] ?? "", /not a URL/);
  assert.match(backendProblems("url: http://h/v1?key=abc")[0] ?? "", /has a query/);
  assert.match(backendProblems("url: http://h/v1/chat/completions")[0] ?? "", /leads to one endpoint → end it before/);
  assert.match(
    backendProblems("maxConcurrent: 3")[0] ?? "",
    /^b\.yaml:3:3: backends\.main\.url: missing → give the base URL/,
  );
  assert.deepEqual(backendProblems("engine: embeded"), [
    "b.yaml:4:5: backends.main.engine: must be one of openai, vllm, sglang, trtllm, llamacpp, ollama, lmstudio, tgi, dynamo, auto, anthropic, embedded, llama-server, gemini, vertex, bedrock → did you mean embedded?",
  ]);
});

test("figures", () => {
  const line = (figure: string) =>
    backendProblems(`{url: http://h/v1, price: {outputUsdPerMillion: 1, inputUsdPerMillion: ${figure}}}`)[0] ?? "";
  assert.match(line("0.0000000001"), /^b\.yaml:4:56: .*inputUsdPerMillion: has more than 9 decimals → round it/);
  // As a float this would lose its last digit unnoticed.
  assert.match(line("123456.1234567891"), /has more than 9 decimals/);
  assert.match(line("-1"), /must not be negative/);
  assert.match(line("$3"), /not a decimal number/);
  assert.match(line("[]"), /not a decimal number/);
  assert.match(line("1e30"), /too large/);
  assert.match(
    problems(`version: 1\n${BACKENDS}sites: {a: {layer: cloud, pue: 0.999}}\n`)[0] ?? "",
    /pue: must be at least 1/,
  );
  assert.match(
    problems(`version: 1\n${BACKENDS}server: {port: 65536}\n`)[0] ?? "",
    /server\.port: must be at most 65535/,
  );
  assert.match(
    problems(`version: 1\n${BACKENDS}server: {port: "80"}\n`)[0] ?? "",
    /must be a number, not text → write the number without quotes/,
  );
  assert.match(
    problems(`version: 1\n${BACKENDS}server: {port: 80.5}\n`)[0] ?? "",
    /must be a whole number, not a number with a fraction/,
  );
  assert.match(
    problems(`version: 1\n${BACKENDS}server: {shutdownMs: 2147483648}\n`)[0] ?? "",
    /must be at most 2147483647/,
  );
  assert.match(
    problems(`version: 1\n${BACKENDS}storage:\n`)[0] ?? "",
    /^b\.yaml:3:1: storage: must be .*, but nothing is written/,
  );
});

test("names, sites, classes and keys that contradict each other", () => {
  const two = "sites: {here: {layer: device}, there: {layer: cloud}}\n";
  assert.deepEqual(problems(`version: 1\n${two}${BACKENDS}`), [
    "b.yaml:3:12: backends.main: site is missing → write site: with one of here, there",
  ]);
  assert.deepEqual(problems(`version: 1\n${two}backends:\n  main:\n    engine: embedded\n    site: ther\n`), [
    'b.yaml:6:5: backends.main.site: there is no site "ther" → did you mean there?',
  ]);
  assert.match(
    problems(`version: 1\nbackends: {Main: {engine: embedded}}\n`)[0] ?? "",
    /^b\.yaml:2:12: backends\.Main: not a name → use lower-case/,
  );
  assert.match(
    problems(`version: 1\n${BACKENDS}server: {defaultClass: bach}\n`)[0] ?? "",
    /no class "bach" → did you mean batch\?/,
  );
  assert.match(
    problems(`version: 1\n${BACKENDS}server: {cooldownMaxMs: 10}\n`)[0] ?? "",
    /cooldownMaxMs is less than cooldownFirstMs/,
  );
  for (const limits of ["maxUrlBytes: 20000", "maxHeaderBytes: 8000"]) {
    assert.match(
      problems(`version: 1\n${BACKENDS}server: {${limits}}\n`)[0] ?? "",
      /maxHeaderBytes is not more than maxUrlBytes, which counts towards it → raise maxHeaderBytes or lower maxUrlBytes/,
    );
  }
  for (const [limit, words] of [
    ["maxHeaderBytes: 100", /server\.maxHeaderBytes: .*1024/],
    ["maxJsonDepth: 5000", /server\.maxJsonDepth: .*1000/],
    ["maxHeaders: 0", /server\.maxHeaders: .*1/],
  ] as const) {
    assert.match(problems(`version: 1\n${BACKENDS}server: {${limit}}\n`).join(), words);
  }
  assert.match(backendProblems("{url: http://h/v1, models: []}")[0] ?? "", /models: must not be empty/);
  assert.match(
    backendProblems("{url: http://h/v1, models: 3}")[0] ?? "",
    /models: not a choice of models → write a list/,
  );
  assert.match(
    backendProblems("{url: http://h/v1, headers: {AUTHORIZATION: x}}")[0] ?? "",
    /credentials must not be written/,
  );
  assert.match(backendProblems("{url: http://h/v1, headers: {Host: x}}")[0] ?? "", /Baseload sets this header itself/);
  assert.match(
    backendProblems("{url: http://h/v1, key: {env: A, file: b}}")[0] ?? "",
    /needs exactly one of env and file/,
  );
  const keys = (list: string) => problems(`version: 1\n${BACKENDS}tenants: {t: {keys: ${list}}}\n`)[0] ?? "";
  assert.match(
    keys("[{name: a, env: A}, {name: a, env: B}]"),
    /keys\[1\]\.name: another key of this tenant has this name/,
  );
  assert.match(keys("[{name: a, env: A}, {name: b, env: A}]"), /keys\[1\]\.env: another key has this source/);
  assert.match(keys("[{name: a}]"), /keys\[0\]: needs exactly one of env, file and sha256/);
  assert.match(keys("[]"), /keys: must not be empty/);
});

test("all problems come at once, in the order of the file", () => {
  const found = problems(
    "version: 1\nsite: {}\nserver:\n  port: x\nbackends:\n  a: {url: x, site: y}\n  B: {engine: z}\n",
  );
  assert.deepEqual(
    found.map((line) => line.split(": ").slice(0, 2).join(" ")),
    [
      "b.yaml:2:1 site",
      "b.yaml:4:3 server.port",
      "b.yaml:6:7 backends.a.url",
      "b.yaml:6:15 backends.a.site",
      "b.yaml:7:3 backends.B",
      "b.yaml:7:7 backends.B.engine",
    ],
  );
});

test("files that aliases make endless are refused soon", () => {
  const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
  for (let index = 1; index < 9; index += 1) {
    const [here, below] = ["abcdefghi"[index], "abcdefghi"[index - 1]];
    bomb.push(`${here}: &${here} [${Array(9).fill(`*${below}`).join(", ")}]`);
  }
  assert.ok(problems(bomb.join("\n")).some((line) => line.includes("aliases repeat too much")));
  assert.ok(problems("a: &a {b: *a}\n").length > 0);
});

test("a key that was pasted somewhere is never printed", () => {
  const secret = "sk-live-51HxYzAbCdEf0123456789";
  const places = [
    `url: http://h/v1\n    key: ${secret}`,
    `url: http://h/v1\n    key: "${secret}" "${secret}"`,
    `url: http://h/v1\n    key: {env: ${secret}}`,
    `url: http://h/v1\n    key: {file: ${secret}}`,
    `url: http://h/v1\n    key: {${secret}: }`,
    `url: http://h/v1\n    key: [${secret}]`,
    `url: http://h/v1\n    key: *${secret}`,
    `url: http://h/v1\n    key: !${secret} {}`,
    `url: http://h/v1\n    key: >${secret}`,
    `url: http://h/v1\n    headers: {authorization: Bearer ${secret}}`,
    `url: http://h/v1\n    ${secret}: ${secret}`,
    `url: http://${secret}:${secret}@h/v1`,
    `url: http://h/v1?key=${secret}`,
    `url: ${secret}`,
    `engine: ${secret}`,
    `engine: embedded\n    site: ${secret}`,
  ];
  for (const place of places) assert.doesNotMatch(backendProblems(place).join("\n"), /51Hx/, place);
  for (const keys of [
    `[${secret}]`,
    `{a: ${secret}}`,
    secret,
    `[{name: ${secret}, env: A}]`,
    `[{name: a, sha256: ${secret}}]`,
    `[{name: a, env: ${secret}}]`,
  ]) {
    assert.doesNotMatch(problems(`version: 1\n${BACKENDS}tenants: {t: {keys: ${keys}}}\n`).join("\n"), /51Hx/, keys);
  }
});

test("any text is either a configuration or a list of problems", () => {
  const word = fc.constantFrom(
    "version",
    "1",
    "backends",
    "server",
    "key",
    ":",
    ": ",
    "\n",
    "\n  ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    '"',
    "&a",
    "*a",
    "|",
    "#",
    "!t",
    "\t",
    "~",
    "engine: embedded",
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 20 }), (words) => {
      try {
        loadConfig(words.join(""), "b.yaml");
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        assert.ok(error.problems.length > 0);
      }
    }),
    { numRuns: 500 },
  );
});
