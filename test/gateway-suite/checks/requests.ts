import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { PIECES } from "../../upstream/chunks.ts";
import { cases } from "../cases.ts";
import { ask, post, recordsOf } from "../check.ts";
import type { Check, SuiteContext } from "../check.ts";
import { readError, readJson, readStream } from "../reading.ts";
import { canonical, duplicateKeys } from "../json-text.ts";

const MESSAGES = `"messages":[{"role":"user","content":"hi"}]`;

function badBodiesRefused(ctx: SuiteContext): Promise<void> {
  const model = JSON.stringify(ctx.modelName("ok"));
  const bodies: readonly (readonly [string, string])[] = [
    ["empty", ""],
    ["not JSON", "model=ok"],
    ["cut off", `{"model":${model},${MESSAGES}`],
    ["trailing comma", `{"model":${model},${MESSAGES},}`],
    ["two values", `{"model":${model},${MESSAGES}} {}`],
    ["deep and cut off", `{"model":${model},${MESSAGES},"x":${"[".repeat(20_000)}`],
    ["null", "null"],
    ["an array", `[{"model":${model},${MESSAGES}}]`],
    ["a string", `"hello"`],
    ["no model", `{${MESSAGES}}`],
    ["model a number", `{"model":5,${MESSAGES}}`],
    ["no messages", `{"model":${model}}`],
    ["messages a string", `{"model":${model},"messages":"hi"}`],
    ["stream a string", `{"model":${model},${MESSAGES},"stream":"yes"}`],
  ];
  return cases(
    bodies.map(([name, body]) => [name, async () => void (await readError(post(ctx, body), [400, 400]))] as const),
  );
}

function one(value: string | readonly string[] | undefined): string {
  assert.ok(typeof value === "string" && value !== "", `x-request-id: ${JSON.stringify(value)}`);
  return value;
}

async function requestId(
  ctx: SuiteContext,
  fields: Readonly<Record<string, unknown>>,
  given: string | undefined,
): Promise<void> {
  const { mark, exchange } = ask(ctx, "ok", {
    fields,
    ...(given === undefined ? {} : { headers: { "x-request-id": given } }),
  });
  const { headers } = await exchange.head();
  await exchange.text();
  const returned = one(headers["x-request-id"]);
  assert.doesNotMatch(returned, /mock-upstream/, "the upstream's own id was returned");
  const [record] = await recordsOf(ctx, mark);
  const forwarded = record?.headers["x-request-id"];
  if (given !== undefined) {
    assert.equal(returned, given, "the id returned");
    assert.equal(forwarded, given, "the id forwarded");
  } else if (forwarded !== undefined) {
    assert.equal(forwarded, returned, "the id forwarded is the one returned");
  }
}

async function idOnError(ctx: SuiteContext): Promise<void> {
  const given = `req-${randomUUID()}`;
  const { headers } = await readError(post(ctx, "{", { headers: { "x-request-id": given } }), [400, 400]);
  assert.equal(headers["x-request-id"], given, "the id returned with an error");
}

function requestIds(ctx: SuiteContext): Promise<void> {
  return cases([
    ["given, whole", () => requestId(ctx, {}, `req-${randomUUID()}`)],
    ["given, streamed", () => requestId(ctx, { stream: true }, `req-${randomUUID()}`)],
    ["none given, whole", () => requestId(ctx, {}, undefined)],
    ["none given, streamed", () => requestId(ctx, { stream: true }, undefined)],
    ["given, bad body", () => idOnError(ctx)],
  ]);
}

/** Parameters that no gateway knows, with what parsing and printing again would spoil. */
function oddFields(): string {
  const deep = `${"[".repeat(200)}1${"]".repeat(200)}`;
  return [
    `"seed":12345678901234567890123`,
    `"x_big":[9007199254740993,-9223372036854775808,18446744073709551615]`,
    `"x_float":[0.1,1e-7,1.5e300,3.141592653589793]`,
    `"x_unicode":"wörld 🌍 \\u65e5\\u672c \\ud83c\\udf0d 日本 \\"{[,:]}\\" \\\\"`,
    `"x_ключ 🔑":{"":null,"__proto__":{"a":1},"constructor":"x","nested":{"model":"inner","stream":"inner"}}`,
    `"x_deep":${deep}`,
    `"x_empty":[{},[],"",0,false,null]`,
    `"logit_bias":{"50256":-100}`,
    `"chat_template_kwargs":{"enable_thinking":false}`,
  ].join(",\n  ");
}

/** What was sent has to be in what the upstream got. Only `model` may change, and `stream_options` may grow. */
function assertSurvived(sent: string, received: string): void {
  assert.deepEqual(duplicateKeys(received), [], "keys twice in one object upstream");
  const before = canonical(sent) as Record<string, unknown>;
  const after = canonical(received) as Record<string, unknown>;
  for (const [key, value] of Object.entries(before)) {
    if (key === "model" || key === "stream_options") continue;
    assert.ok(Object.hasOwn(after, key), `the parameter ${key} was dropped`);
    assert.deepEqual(after[key], value, `the parameter ${key} was changed`);
  }
  const sentOptions = { ...(before["stream_options"] as object | undefined), include_usage: null };
  const gotOptions = { ...(after["stream_options"] as object | undefined), include_usage: null };
  assert.deepEqual(gotOptions, sentOptions, "stream_options, but for include_usage");
}

async function survives(ctx: SuiteContext, extra: string, read: "whole" | "streamed"): Promise<void> {
  const mark = `mark-${randomUUID()}`;
  const messages = `"messages": [ {"role":"user","content":"${mark} é \\u00e9 🌍","x_part":{"y":[1,2]}} ]`;
  const sent = `{ "model" : ${JSON.stringify(ctx.modelName("echo-body"))},\n  ${oddFields()}${extra},\n  ${messages} }\n`;
  const exchange = post(ctx, sent);
  const content = read === "whole" ? await wholeContent(exchange) : (await readStream(exchange)).content;
  const [record] = await recordsOf(ctx, mark);
  assert.equal(content, record?.bodyText, "the content that came back is what the upstream received");
  assertSurvived(sent, content);
}

async function wholeContent(exchange: ReturnType<typeof post>): Promise<string> {
  const reply = await readJson(exchange);
  assert.equal(reply.status, 200, `status: ${JSON.stringify(reply.body).slice(0, 200)}`);
  const [choice] = reply.body["choices"] as readonly { readonly message: { readonly content: string } }[];
  return choice?.message.content ?? "";
}

function unknownParamsSurvive(ctx: SuiteContext): Promise<void> {
  return cases([
    ["whole", () => survives(ctx, "", "whole")],
    ["stream false", () => survives(ctx, `, "stream": false`, "whole")],
    ["streamed", () => survives(ctx, `, "stream": true`, "streamed")],
    ["streamed, empty stream_options", () => survives(ctx, `, "stream": true, "stream_options": {}`, "streamed")],
    [
      "streamed, stream_options with more",
      () =>
        survives(
          ctx,
          `, "stream": true, "stream_options": {"include_usage":false,"x_more":9007199254740993}`,
          "streamed",
        ),
    ],
  ]);
}

async function answersWhole(ctx: SuiteContext, fields: Readonly<Record<string, unknown>>): Promise<void> {
  const reply = await readJson(ask(ctx, "ok", { fields }).exchange);
  assert.equal(reply.status, 200, "status");
  assert.equal(reply.body["object"], "chat.completion", "object");
  const [choice] = reply.body["choices"] as readonly { readonly message: { readonly content: string } }[];
  assert.equal(choice?.message.content, PIECES.join(""), "content");
}

function streamIsOptIn(ctx: SuiteContext): Promise<void> {
  return cases([
    ["omitted", () => answersWhole(ctx, {})],
    ["false", () => answersWhole(ctx, { stream: false })],
    ["null", () => answersWhole(ctx, { stream: null })],
  ]);
}

/** Checks of how requests are read and handed on. */
export const requestChecks: readonly Check[] = [
  { id: "12", title: "12 a bad body gives 400 in OpenAI's error shape", run: badBodiesRefused },
  {
    id: "13",
    title: "13 x-request-id is accepted, forwarded and returned; the upstream's own does not leak",
    run: requestIds,
  },
  { id: "14", title: "14 unknown parameters survive, to the last digit", run: unknownParamsSurvive },
  { id: "15", title: "15 without stream: true the answer is JSON", run: streamIsOptIn },
];
