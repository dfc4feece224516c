import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import OpenAI from "openai";
import { hashKey } from "../../src/gateway/access.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { Baseload, Folder } from "./lib/baseload.ts";
import { TINY } from "./lib/tiny.ts";

const mock = await startMock();
const config = (more = ""): string => `
version: 1
storage: { responseDays: 1 ${more} }
backends: { tiny: { engine: embedded }, mock: { url: "${mock.baseUrl}", models: "*" } }
tenants:
  one: { keys: [{ name: main, sha256: ${hashKey("sk-one")} }] }
  two: { keys: [{ name: main, sha256: ${hashKey("sk-two")} }] }
`;
const server = await Baseload.start({ config: config() });
after(async () => {
  await server[Symbol.asyncDispose]();
  await mock.close();
});

const clientOf = ({ baseUrl }: Baseload, apiKey = "sk-one"): OpenAI =>
  new OpenAI({ baseURL: baseUrl, apiKey, maxRetries: 0, timeout: 30_000 });
const client = clientOf(server);

type Params = Omit<OpenAI.Responses.ResponseCreateParamsNonStreaming, "model"> & { readonly model?: string };
type Roles = readonly (readonly [string, unknown])[];

/** What a backend of chat completions is told when asked so: the mock answers with the body that it got. */
async function told(
  more: Params,
  on = client,
): Promise<{ readonly answer: OpenAI.Responses.Response; readonly roles: Roles }> {
  const answer = await on.responses.create({ model: "echo-body", ...more });
  const { messages } = JSON.parse(answer.output_text) as {
    readonly messages: readonly { role: string; content: unknown }[];
  };
  return { answer, roles: messages.map(({ role, content }) => [role, content]) };
}

/** The API has the member, and the SDK's type has not. */
const storeOf = (response: object): unknown => (response as { readonly store?: unknown }).store;
const gone = (error: unknown): boolean => error instanceof OpenAI.NotFoundError && error.code === "response_not_found";

describe("stored responses", () => {
  it("are there again as they were answered, until they are deleted", async () => {
    const made = await client.responses.create({ model: TINY, input: "Hi", max_output_tokens: 8 });
    assert.equal(storeOf(made), true);
    const { _request_id: mine, ...kept } = await client.responses.retrieve(made.id);
    const { _request_id: first, output_text: text, ...whole } = made;
    assert.ok(text.length > 0 && mine !== first);
    assert.deepEqual({ ...kept, output_text: undefined }, { ...whole, output_text: undefined });
    await client.responses.delete(made.id);
    await assert.rejects(client.responses.retrieve(made.id), gone);
    await assert.rejects(client.responses.delete(made.id), gone);
    await assert.rejects(client.responses.create({ model: TINY, input: "?", previous_response_id: made.id }), gone);
  });

  it("go on with any backend: the embedded model's words reach the other, without the old instructions", async () => {
    const first = await client.responses.create({
      model: TINY,
      input: "Hi",
      instructions: "Be brief.",
      max_output_tokens: 8,
    });
    const { answer, roles } = await told({ input: "And then?", previous_response_id: first.id });
    assert.deepEqual(roles, [
      ["user", "Hi"],
      ["assistant", first.output_text],
      ["user", "And then?"],
    ]);
    assert.equal(answer.previous_response_id, first.id);
    const third = await client.responses.create({
      model: TINY,
      input: "More.",
      previous_response_id: answer.id,
      max_output_tokens: 4,
    });
    const alone = await client.responses.create({ model: TINY, input: "More.", max_output_tokens: 4 });
    assert.ok((third.usage?.input_tokens ?? 0) > 2 * (alone.usage?.input_tokens ?? 0), "the conversation was read");
  });

  it("are stored of streams, and tools' calls go on with what they gave alone", async () => {
    const stream = await client.responses.create({
      model: "tools",
      input: "Weather?",
      stream: true,
      tools: [{ type: "function", name: "weather", parameters: {}, strict: false }],
    });
    let last: OpenAI.Responses.Response | null = null;
    for await (const event of stream) if (event.type === "response.completed") last = event.response;
    assert.ok(last !== null && storeOf(last) === true);
    const calls = last.output.filter((item) => item.type === "function_call");
    const input = calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "rain" }) as const);
    const { roles } = await told({ input, previous_response_id: last.id });
    assert.deepEqual(
      roles.map(([role]) => role),
      ["user", "assistant", ...calls.map(() => "tool")],
    );
    // What refers to an answer's items goes on with them as well.
    const references = calls.map(({ id }) => ({ type: "item_reference", id: id ?? "" }) as const);
    const again = await told({ input: [{ role: "user", content: "Weather?" }, ...references, ...input] });
    assert.deepEqual(again.roles, roles);
  });

  it("list what they answered, by pages", async () => {
    const first = await client.responses.create({ model: "ok", input: "one" });
    const second = await client.responses.create({
      model: "ok",
      input: [{ role: "user", content: "two" }],
      previous_response_id: first.id,
    });
    const ids: (string | undefined)[] = [];
    const words: unknown[] = [];
    for await (const item of client.responses.inputItems.list(second.id, { limit: 1, order: "asc" })) {
      ids.push("id" in item ? (item.id ?? undefined) : undefined);
      if (item.type === "message") words.push(item.content.map((part) => ("text" in part ? part.text : null)).join(""));
    }
    assert.deepEqual(words, ["one", first.output_text, "two"]);
    assert.equal(new Set(ids).size, 3);
    const newest = await client.responses.inputItems.list(second.id, { limit: 2 });
    assert.deepEqual([newest.data.map(({ id }) => id), newest.has_more], [ids.toReversed().slice(0, 2), true]);
  });

  it("are one tenant's alone, and none where `store` is false or the answer failed", async () => {
    const other = clientOf(server, "sk-two");
    const { id } = await client.responses.create({ model: "ok", input: "mine" });
    await assert.rejects(other.responses.retrieve(id), gone);
    await assert.rejects(other.responses.delete(id), gone);
    await assert.rejects(other.responses.inputItems.list(id), gone);
    await assert.rejects(other.responses.create({ model: "ok", input: "?", previous_response_id: id }), gone);
    const unkept = await client.responses.create({ model: "ok", input: "secret", store: false });
    assert.equal(storeOf(unkept), false);
    await assert.rejects(client.responses.retrieve(unkept.id), gone);
    const stream = await client.responses.create({ model: "dies-mid-stream", input: "Hi", stream: true });
    let begun = "";
    await assert.rejects(async () => {
      for await (const event of stream) if (event.type === "response.created") begun = event.response.id;
    });
    await assert.rejects(client.responses.retrieve(begun), gone);
    const streamed = await fetch(`${server.baseUrl}/responses/${id}?stream=true`, {
      headers: { authorization: "Bearer sk-one" },
    });
    assert.equal(streamed.status, 400);
  });

  it("are stored of a backend that has responses itself, whose bytes pass, and go on at one that has none", async () => {
    await using far = await Baseload.start({
      config: `{ version: 1, backends: { mock: { url: "${mock.baseUrl}", models: "*" } } }`,
    });
    await using near = await Baseload.start({
      config: `
version: 1
storage: { responseDays: 1 }
backends:
  far: { url: "${far.baseUrl}", models: { there: ok, there-too: echo-body }, endpoints: [responses] }
  mock: { url: "${mock.baseUrl}", models: { here: echo-body } }
`,
    });
    const on = clientOf(near, "any");
    const stream = await on.responses.create({ model: "there", input: "From afar.", stream: true });
    let last: OpenAI.Responses.Response | null = null;
    for await (const event of stream) if (event.type === "response.completed") last = event.response;
    assert.ok(last !== null);
    // What passes says what the backend said, which stores nothing; what is kept says what holds here.
    assert.deepEqual([storeOf(last), storeOf(await on.responses.retrieve(last.id))], [false, true]);
    for (const model of ["there-too", "here"]) {
      const { roles } = await told({ input: "And?", previous_response_id: last.id, model }, on);
      assert.deepEqual(
        roles.map(([role]) => role),
        ["user", "assistant", "user"],
      );
    }
  });

  it("outlive a restart, and are forgotten where none is to be stored any more", async () => {
    using folder = new Folder();
    const dataDir = join(folder.path, "data");
    const kept = await (async () => {
      await using before = await Baseload.start({ config: config(), dataDir });
      const answer = await clientOf(before).responses.create({ model: "ok", input: "Remember." });
      await before.end();
      return answer;
    })();
    await (async () => {
      await using again = await Baseload.start({ config: config(), dataDir });
      assert.equal((await clientOf(again).responses.retrieve(kept.id)).output_text, kept.output_text);
      const { roles } = await told({ input: "What?", previous_response_id: kept.id }, clientOf(again));
      assert.deepEqual(
        roles.map(([, content]) => content),
        ["Remember.", kept.output_text, "What?"],
      );
      await again.end();
    })();
    await using off = await Baseload.start({ config: config().replace("responseDays: 1", "responseDays: 0"), dataDir });
    await assert.rejects(clientOf(off).responses.retrieve(kept.id), gone);
    const answer = await clientOf(off).responses.create({ model: "ok", input: "Hi" });
    assert.equal(storeOf(answer), false);
    await off.end();
    const shelf = join(dataDir, "shelf", "responses");
    const left = existsSync(shelf)
      ? readdirSync(shelf, { recursive: true }).filter((name) => String(name).endsWith(".json"))
      : [];
    assert.deepEqual(left, []);
  });

  it("that the disk has no room for are answered all the same, and the operator is told", async () => {
    await using full = await Baseload.start({ config: config(", maxFilesBytes: 100") });
    const { id, output_text: text } = await clientOf(full).responses.create({ model: "ok", input: "Hi" });
    assert.ok(text.length > 0);
    await full.printed(/resp_\w+ is not stored: there is no room left/);
    await assert.rejects(clientOf(full).responses.retrieve(id), gone);
  });
});
