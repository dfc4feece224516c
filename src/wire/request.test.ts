import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ParseResult, parseRequest, promptText } from "./request.ts";

const MESSAGES = [{ role: "user", content: "Hello" }];

function parse(body: unknown, endpoint: "chat" | "completions" = "chat"): ParseResult {
  return parseRequest(endpoint, Buffer.from(typeof body === "string" ? body : JSON.stringify(body)), 256);
}

function accepted(body: unknown, endpoint: "chat" | "completions" = "chat") {
  const result = parse(body, endpoint);
  assert.ok(result.ok, JSON.stringify(result));
  return result.request;
}

function refused(body: unknown, endpoint: "chat" | "completions" = "chat") {
  const result = parse(body, endpoint);
  assert.ok(!result.ok);
  return result;
}

test("a chat request is read, and members that are not known pass", () => {
  const request = accepted({ model: "m", messages: MESSAGES, stream: true, unheard_of: [1], user: "u-1" });
  const { value, ...rest } = request;
  assert.deepEqual(rest, {
    model: "m",
    stream: true,
    wantsUsage: false,
    maxOutputTokens: null,
    user: "u-1",
    promptTextLength: 5,
    needs: { tools: false, jsonSchema: false, images: false, audio: false },
  });
  assert.deepEqual((value as { unheard_of: unknown }).unheard_of, [1]);
});

test("null is the same as absent for every member that may be left out", () => {
  const nulls = { stream: null, stream_options: null, max_tokens: null, max_completion_tokens: null, user: null };
  const { value: _, ...request } = accepted({ model: "m", messages: MESSAGES, ...nulls });
  const { value: __, ...bare } = accepted({ model: "m", messages: MESSAGES });
  assert.deepEqual(request, bare);
});

test("usage is wanted only where include_usage is true", () => {
  const wants = (options: unknown): boolean =>
    accepted({ model: "m", messages: MESSAGES, stream_options: options }).wantsUsage;
  assert.deepEqual([{ include_usage: true }, { include_usage: false }, { include_usage: null }, {}, null].map(wants), [
    true,
    false,
    false,
    false,
    false,
  ]);
});

test("the newer name of the output limit goes before the older, and zero is a limit", () => {
  const limit = (more: object): number | null => accepted({ model: "m", messages: MESSAGES, ...more }).maxOutputTokens;
  assert.equal(limit({ max_tokens: 7 }), 7);
  assert.equal(limit({ max_tokens: 7, max_completion_tokens: 9 }), 9);
  assert.equal(limit({ max_tokens: 0 }), 0);
});

test("every shape of prompt that OpenAI takes is taken", () => {
  for (const prompt of ["one", ["one", "two"], [1, 2, 3], [[1, 2], [3]]])
    accepted({ model: "m", prompt }, "completions");
  assert.equal(accepted({ model: "m", prompt: ["ab", "cde"] }, "completions").promptTextLength, 5);
  assert.equal(accepted({ model: "m", prompt: [1, 2] }, "completions").promptTextLength, 0);
});

test("a body of the wrong shape is refused with the path of the member that is wrong", () => {
  const cases: readonly (readonly [unknown, string | null])[] = [
    [{ messages: MESSAGES }, "model"],
    [{ model: "", messages: MESSAGES }, "model"],
    [{ model: "m".repeat(257), messages: MESSAGES }, "model"],
    [{ model: "m" }, "messages"],
    [{ model: "m", messages: [] }, "messages"],
    [{ model: "m", messages: "Hello" }, "messages"],
    [{ model: "m", messages: [{ content: "x" }] }, "messages.0.role"],
    [{ model: "m", messages: [...MESSAGES, { role: 1 }] }, "messages.1.role"],
    [{ model: "m", messages: MESSAGES, stream: "yes" }, "stream"],
    [{ model: "m", messages: MESSAGES, stream_options: { include_usage: 1 } }, "stream_options.include_usage"],
    [{ model: "m", messages: MESSAGES, max_tokens: -1 }, "max_tokens"],
    [{ model: "m", messages: MESSAGES, max_tokens: 1.5 }, "max_tokens"],
    [[], null],
    ["3", null],
    ["null", null],
  ];
  for (const [body, param] of cases) {
    const result = refused(body);
    assert.equal(result.code, "invalid_request");
    assert.equal(result.param, param, JSON.stringify(body).slice(0, 80));
    if (param !== null) assert.ok(result.detail.includes(`\`${param}\``), result.detail);
  }
  assert.equal(refused({ model: "m", prompt: { a: 1 } }, "completions").param, "prompt");
});

test("bad JSON is refused with the place where it is bad", () => {
  const detail = (body: string): string => {
    const result = refused(body);
    assert.equal(result.code, "invalid_json");
    return result.detail;
  };
  assert.equal(detail('{"model":"m",}'), "at position 13 (line 1 column 14)");
  assert.equal(detail(""), "it ends too early or is empty");
  assert.equal(detail('{"model":'), "it ends too early or is empty");
  assert.equal(detail('{"model": m}'), "it has a character out of place");
  assert.equal(detail("position 41111111111"), "it has a character out of place");
});

// Words that stand in no message of ours, so that finding one means that a body was repeated.
const SECRET = fc
  .string({ unit: fc.constantFrom(..."QXZJK#7"), minLength: 4, maxLength: 12 })
  .map((text) => `secret${text}`);

test("nothing of a bad body's content is repeated in what is said about it", () => {
  const broken = fc.tuple(SECRET, fc.nat({ max: 13 })).map(([secret, kind]) => {
    const shapes = [
      secret,
      `{"${secret}": ${secret}}`,
      `{"a":"${secret}`,
      `{"a":"${secret}"} ${secret}`,
      `{'${secret}':1}`,
      `["${secret}" "${secret}"]`,
      `{"a":"\n${secret}"}`,
      `{"a":"\\x${secret}"}`,
      `[${secret}]`,
      `{"model":{"${secret}":1},"messages":"${secret}"}`,
      `{"model":"m","messages":[{"role":["${secret}"]}]}`,
      `{"model":"m","messages":["${secret}"],"${secret}":1}`,
      `{"model":"m","messages":[{"role":"user"}],"user":["${secret}"]}`,
      `in JSON at position 12 ${secret}`,
    ];
    return { secret, body: shapes[kind] ?? secret };
  });
  fc.assert(
    fc.property(broken, fc.constantFrom("chat", "completions"), ({ secret, body }, endpoint) => {
      const said = JSON.stringify(refused(body, endpoint));
      assert.ok(!said.includes("secret") && !said.includes(secret), said);
    }),
    { numRuns: 500 },
  );
});

test("any body is either taken or refused, and none throws", () => {
  fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), (body) => void parse(body)));
});

test("the prompt's text is the text parts and tools, without images and token arrays", () => {
  const value = {
    tools: [{ type: "function" }],
    messages: [
      { role: "system", content: "Be brief." },
      {
        role: "user",
        content: [{ type: "text", text: "Hi" }, { type: "image_url", image_url: { url: "data:…" } }, null],
      },
      { role: "assistant", content: null },
    ],
  };
  const tools = JSON.stringify(value.tools);
  assert.equal(promptText(value), `${tools}\nBe brief.\nHi`);
  assert.equal(accepted({ model: "m", ...value }).promptTextLength, tools.length + 11);
  assert.equal(promptText({ prompt: [1, 2] }), "");
  assert.equal(promptText({ prompt: ["a", "b"] }), "a\nb");
});
