import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyFor, CHAT, type Call, callsOf, type CapabilityTarget, endOf } from "./capability.ts";

const messages = [{ role: "user", content: "How warm is it in Rome?" }];
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather at a place.",
    parameters: {
      type: "object",
      properties: { city: { type: "string", maxLength: 12 }, unit: { type: "string", enum: ["C", "F"] } },
      required: ["city", "unit"],
      additionalProperties: false,
    },
  },
};
const clock = { type: "function", function: { name: "get_time" } };
const tools = [weather, clock];

/** Tools: calls that are forced, forbidden or told of, whole and streamed. */
export function toolsConformance(target: () => CapabilityTarget): void {
  const ask = (more: object) => target().post(CHAT, bodyFor(target(), { messages, tools, ...more }));

  test("a required call names a tool and has arguments that fit its schema", async () => {
    const { status, body } = await ask({ tool_choice: "required", parallel_tool_calls: false });
    assert.equal(status, 200, body.error?.message ?? "");
    const [choice] = body.choices;
    assert.equal(choice?.finish_reason, "tool_calls");
    assert.equal(choice.message?.tool_calls?.length, 1);
    assertCall(choice.message.tool_calls[0]);
  });

  test("a named tool is the one that is called", async () => {
    for (const name of ["get_weather", "get_time"]) {
      const { body } = await ask({ tool_choice: { type: "function", function: { name } } });
      const call = body.choices[0]?.message?.tool_calls?.[0];
      assert.equal(call?.function.name, name);
      assertCall(call);
    }
  });

  test("a streamed call comes as one head and pieces of its arguments", async () => {
    const choice = { tool_choice: { type: "function", function: { name: "get_weather" } } };
    const chunks = await target().stream(CHAT, bodyFor(target(), { messages, tools, ...choice }));
    const deltas = chunks.flatMap(({ choices }) => choices.flatMap(({ delta }) => delta?.tool_calls ?? []));
    assert.ok(deltas.length > 1);
    assert.equal(deltas.filter(({ id }) => id !== undefined).length, 1, "the id comes once");
    assert.ok(deltas.slice(1).every((delta) => delta.function?.name === undefined));
    const [call] = callsOf(chunks);
    assertCall(call);
    assert.equal(endOf(chunks), "tool_calls");
  });

  test("no tool is called where none may be", async () => {
    const { status, body } = await ask({ tool_choice: "none" });
    assert.equal(status, 200);
    assert.equal(body.choices[0]?.message?.tool_calls, undefined);
    assert.notEqual(body.choices[0]?.finish_reason, "tool_calls");
  });

  test("calls and results of earlier turns are part of the prompt", async () => {
    const called = {
      id: "call00001",
      type: "function",
      function: { name: "get_weather", arguments: '{"city":"Rome","unit":"C"}' },
    };
    const turn = (content: string) => [
      ...messages,
      { role: "assistant", content: null, tool_calls: [called] },
      { role: "tool", tool_call_id: "call00001", content },
    ];
    const short = await ask({ messages: turn("22"), max_tokens: 4 });
    const long = await ask({ messages: turn("It is warm: 22 degrees, without a cloud."), max_tokens: 4 });
    assert.equal(short.status, 200, short.body.error?.message ?? "");
    assert.ok((long.body.usage?.prompt_tokens ?? 0) > (short.body.usage?.prompt_tokens ?? Infinity));
  });

  test("a wrong choice or a result of no call is refused", async () => {
    const unknown = await ask({ tool_choice: { type: "function", function: { name: "get_lost" } } });
    const orphan = await ask({ messages: [...messages, { role: "tool", tool_call_id: "nowhere", content: "22" }] });
    for (const { status, body } of [unknown, orphan]) {
      assert.equal(status, 400);
      assert.ok((body.error?.message ?? "") !== "");
    }
  });
}

function assertCall(call: Call | undefined): void {
  assert.equal(call?.type, "function");
  assert.ok(call.id.length > 0);
  const given = JSON.parse(call.function.arguments) as Record<string, unknown>;
  assert.ok(typeof given === "object" && given !== null && !Array.isArray(given));
  if (call.function.name === "get_time") return;
  assert.equal(call.function.name, "get_weather");
  assert.deepEqual(Object.keys(given).toSorted(), ["city", "unit"]);
  assert.ok(typeof given["city"] === "string" && [...given["city"]].length <= 12);
  assert.ok(given["unit"] === "C" || given["unit"] === "F");
}
