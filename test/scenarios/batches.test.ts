import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import OpenAI, { toFile } from "openai";
import { hashKey } from "../../src/gateway/access.ts";
import { until } from "../until.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { receiptOf } from "./lib/ask.ts";
import { Baseload, Folder } from "./lib/baseload.ts";

const mock = await startMock();
const config = `
version: 1
storage: { batchConcurrency: 2 }
backends: { mock: { url: "${mock.baseUrl}" } }
`;
const server = await Baseload.start({ config });
after(async () => {
  await server[Symbol.asyncDispose]();
  await mock.close();
});

type Batch = OpenAI.Batches.Batch;
const CHAT = "/v1/chat/completions";

const clientOf = ({ baseUrl }: Baseload, apiKey = "any"): OpenAI =>
  new OpenAI({ baseURL: baseUrl, apiKey, maxRetries: 0 });
const client = clientOf(server);

function line(id: string, model: string, more: object = {}): string {
  const body = { model, messages: [{ role: "user", content: `batched ${id}` }], ...more };
  return JSON.stringify({ custom_id: id, method: "POST", url: CHAT, body });
}

async function begin(on: OpenAI, lines: readonly string[]): Promise<Batch> {
  const file = await on.files.create({
    file: await toFile(Buffer.from(lines.join("\n")), "in.jsonl"),
    purpose: "batch",
  });
  return on.batches.create({
    input_file_id: file.id,
    endpoint: CHAT,
    completion_window: "24h",
    metadata: { for: "test" },
  });
}

async function ended(on: OpenAI, { id }: Batch): Promise<Batch> {
  let batch = await on.batches.retrieve(id);
  await until("the batch ends", async () => {
    batch = await on.batches.retrieve(id);
    return ["completed", "failed", "expired", "cancelled"].includes(batch.status);
  });
  return batch;
}

interface Result {
  readonly custom_id: string;
  readonly response: {
    readonly status_code: number;
    readonly request_id: string;
    readonly body: Record<string, unknown>;
  } | null;
}

async function resultsOf(on: OpenAI, fileId: string | null | undefined): Promise<readonly Result[]> {
  if (fileId === null || fileId === undefined) return [];
  const text = await (await on.files.content(fileId)).text();
  const results = text
    .trimEnd()
    .split("\n")
    .map((each) => JSON.parse(each) as Result);
  return results.toSorted((a, b) => a.custom_id.localeCompare(b.custom_id));
}

describe("lines that name a run", () => {
  it("are its steps and share its limits; a name that is none is refused", async () => {
    const lines = ["a", "b"].map((id) => line(id, "ok", { metadata: { run_id: "batched" } }));
    const batch = await begin(client, [...lines, line("c", "ok", { metadata: { run_id: "no name" } })]);
    const { output_file_id: good, error_file_id: bad } = await ended(client, batch);
    assert.deepEqual(
      (await resultsOf(client, good)).map(({ custom_id: id }) => id),
      ["a", "b"],
    );
    const [refused] = await resultsOf(client, bad);
    assert.deepEqual([refused?.custom_id, refused?.response?.status_code], ["c", 400]);
    const runOf = async (): Promise<{ steps: number; receipts: unknown[] }> =>
      (await (await fetch(`${server.origin}/api/runs/batched`)).json()) as { steps: number; receipts: unknown[] };
    await until("both receipts are stored", async () => (await runOf()).receipts.length === 2);
    assert.equal((await runOf()).steps, 2);
  });
});

describe("the OpenAI SDK's files", () => {
  it("are stored, listed newest first, read and deleted", async () => {
    const made: string[] = [];
    for (const text of ["one", "two", "three"]) {
      const file = await client.files.create({
        file: await toFile(Buffer.from(text), `${text}.txt`),
        purpose: "user_data",
      });
      assert.deepEqual([file.object, file.bytes, file.filename], ["file", text.length, `${text}.txt`]);
      made.unshift(file.id);
    }
    const page = await client.files.list({ purpose: "user_data", limit: 2 });
    assert.deepEqual([page.data.map(({ id }) => id), page.has_more], [made.slice(0, 2), true]);
    const all: string[] = [];
    for await (const { id } of client.files.list({ purpose: "user_data", limit: 2 })) all.push(id);
    assert.deepEqual(all, made);
    const [last = ""] = made;
    assert.equal(await (await client.files.content(last)).text(), "three");
    assert.equal((await client.files.delete(last)).deleted, true);
    await assert.rejects(client.files.retrieve(last), OpenAI.NotFoundError);
    await assert.rejects(client.files.content("../../baseload"), OpenAI.NotFoundError);
  });

  it("are refused in words when the form is none", async () => {
    const post = (body: string, type: string) =>
      fetch(`${server.baseUrl}/files`, { method: "POST", body, headers: { "content-type": type } });
    for (const answer of [
      await post("{}", "application/json"),
      await post("garbage", "multipart/form-data; boundary=x"),
    ]) {
      const { error } = (await answer.json()) as { readonly error: { readonly code: string } };
      assert.deepEqual([answer.status, error.code], [400, "invalid_request"]);
    }
  });
});

describe("the OpenAI SDK's batches", () => {
  it("answer each line, good ones and bad ones apart, as class batch, with a receipt each", async () => {
    const lines = [
      ...Array.from({ length: 5 }, (_, index) => line(`good-${index}`, "ok")),
      line("gone", "lies-nothing"),
      line("streams", "ok", { stream: true }),
      line("digits", "echo-body", { seed: 1 }).replace('"seed":1', '"seed":12345678901234567890'),
    ];
    const batch = await ended(client, await begin(client, lines));
    assert.equal(batch.status, "completed");
    assert.deepEqual(batch.request_counts, { total: 8, completed: 6, failed: 2 });
    assert.deepEqual(batch.metadata, { for: "test" });
    const good = await resultsOf(client, batch.output_file_id);
    assert.deepEqual(
      good.map(({ custom_id }) => custom_id),
      ["digits", "good-0", "good-1", "good-2", "good-3", "good-4"],
    );
    assert.match(JSON.stringify(good[0]?.response?.body), /12345678901234567890/);
    const bad = await resultsOf(client, batch.error_file_id);
    assert.deepEqual(
      bad.map(({ custom_id, response }) => [custom_id, response?.status_code]),
      [
        ["gone", 404],
        ["streams", 400],
      ],
    );
    const receipt = await receiptOf(server, good[1]?.response?.request_id ?? "");
    assert.deepEqual([receipt.class, receipt.outcome], ["batch", "completed"]);
    assert.ok((await client.batches.list()).data.some(({ id }) => id === batch.id));
  });

  it("name each bad line of an input, and send none of it", async () => {
    const before = mock.requests.length;
    const wrong = JSON.stringify({ custom_id: "x", method: "POST", url: "/v1/embeddings", body: {} });
    const batch = await ended(client, await begin(client, [line("a", "ok"), "not json", line("a", "ok"), wrong]));
    assert.equal(batch.status, "failed");
    assert.deepEqual(
      batch.errors?.data?.map(({ line: at, code }) => [at, code]),
      [
        [2, "invalid_json_line"],
        [3, "duplicate_custom_id"],
        [4, "invalid_url"],
      ],
    );
    assert.equal(mock.requests.length, before);
    const bare = client.batches.create({ input_file_id: "file-none", endpoint: CHAT, completion_window: "24h" });
    await assert.rejects(bare, OpenAI.NotFoundError);
  });

  it("are cancelled: what is on its way is answered, the rest is not sent", async () => {
    const lines = [line("one", "hold-after-first"), line("two", "hold-after-first"), line("three", "ok")];
    const batch = await begin(client, lines);
    await until(
      "two are on their way",
      () => mock.requests.filter(({ model }) => model === "hold-after-first").length === 2,
    );
    const cancelling = await client.batches.cancel(batch.id);
    assert.equal(cancelling.status, "cancelling");
    await mock.release("batched one");
    await mock.release("batched two");
    const last = await ended(client, batch);
    assert.deepEqual([last.status, last.request_counts?.completed], ["cancelled", 2]);
    assert.equal((await resultsOf(client, last.output_file_id)).length, 2);
  });

  it("go on after the process was killed, and no line is answered twice in the results", async () => {
    using folder = new Folder();
    const dataDir = `${folder.path}/data`;
    const killed = await Baseload.start({ config, dataDir });
    const names = ["a", "b", "c", "d", "e"];
    const lines = names.map((name) => line(`resumed-${name}`, name === "c" ? "hold-after-first" : "ok"));
    const batch = await begin(clientOf(killed), lines);
    await until("some lines are answered", async () => {
      const { request_counts: counts } = await clientOf(killed).batches.retrieve(batch.id);
      return (counts?.completed ?? 0) >= 2;
    });
    killed.child.signal("SIGKILL");
    await killed.child.ended;
    await using again = await Baseload.start({ config, dataDir });
    const held = () => mock.requests.filter(({ bodyText }) => bodyText.includes("resumed-c")).length;
    await until("the held line is sent again", () => held() === 2);
    await mock.release("resumed-c");
    const last = await ended(clientOf(again), batch);
    assert.deepEqual([last.status, last.request_counts], ["completed", { total: 5, completed: 5, failed: 0 }]);
    const results = await resultsOf(clientOf(again), last.output_file_id);
    assert.deepEqual(
      results.map(({ custom_id }) => custom_id),
      names.map((name) => `resumed-${name}`),
    );
    await killed[Symbol.asyncDispose]();
  });

  it("are tried again where the backend was overloaded, as it asked", async () => {
    const batch = await begin(client, [line("limited", "rate-limited"), line("fine", "ok")]);
    const sent = () => mock.requests.filter(({ bodyText }) => bodyText.includes("batched limited")).length;
    await until("the good line is answered and the other is waiting", async () => {
      const { request_counts: counts } = await client.batches.retrieve(batch.id);
      return counts?.completed === 1 && sent() === 1;
    });
    await client.batches.cancel(batch.id);
    const last = await ended(client, batch);
    assert.deepEqual([last.status, last.request_counts?.failed], ["cancelled", 1]);
  });

  it("belong to their tenant", async () => {
    await using keyed = await Baseload.start({
      config: `${config}
tenants:
  one: { keys: [{ name: main, sha256: ${hashKey("sk-one")} }] }
  two: { keys: [{ name: main, sha256: ${hashKey("sk-two")} }] }
`,
    });
    const [one, two] = [clientOf(keyed, "sk-one"), clientOf(keyed, "sk-two")];
    const batch = await ended(one, await begin(one, [line("mine", "ok")]));
    await assert.rejects(two.batches.retrieve(batch.id), OpenAI.NotFoundError);
    await assert.rejects(two.files.content(batch.output_file_id ?? ""), OpenAI.NotFoundError);
    await assert.rejects(clientOf(keyed, "sk-wrong").files.list(), OpenAI.AuthenticationError);
    const [result] = await resultsOf(one, batch.output_file_id);
    const receipt = await receiptOf(keyed, result?.response?.request_id ?? "", "sk-one");
    assert.deepEqual([receipt.principal.tenant, receipt.principal.key], ["one", "main"]);
  });
});
