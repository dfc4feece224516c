import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FakeDesk } from "../../test/fakes/desk.ts";
import { FakeShelf } from "../../test/fakes/shelf.ts";
import { type Expanded, type NotExpanded, Responses } from "./responses.ts";

const OPTIONS = { keepResponsesSeconds: 60 };
const LIMITS = { maxBodyBytes: 100_000, maxJsonDepth: 50 };

function opened(change: Partial<typeof OPTIONS> = {}) {
  const [shelf, lines] = [new FakeShelf(), [] as string[]];
  const log = (line: string): void => void lines.push(line);
  return { shelf, lines, responses: new Responses(new FakeDesk(), shelf, { ...OPTIONS, ...change, log }) };
}

interface Asked {
  readonly input: unknown;
  readonly previous_response_id?: string | null;
  readonly store?: boolean;
}

const text = (words: string): object => ({
  type: "message",
  role: "user",
  content: [{ type: "input_text", text: words }],
});
const said = (words: string): object => ({
  type: "message",
  role: "assistant",
  content: [{ type: "output_text", text: words }],
});
const bodyOf = (asked: Asked): Buffer => Buffer.from(JSON.stringify({ model: "m", ...asked }));

function expanded(found: Expanded | NotExpanded | null): Expanded {
  return found !== null && "body" in found ? found : assert.fail(JSON.stringify(found));
}

/** What goes to a backend for this. */
async function sent(responses: Responses, asked: Asked, tenant = "t"): Promise<Expanded> {
  const body = bodyOf(asked);
  const expanding = responses.expand(tenant, body, LIMITS);
  return expanding === null ? { body, previousId: null } : expanded(await expanding);
}

/** One request that is answered with this. */
async function turn(
  responses: Responses,
  asked: Asked,
  answer: { readonly id: string; readonly output: readonly unknown[] },
) {
  const { body, previousId } = await sent(responses, asked);
  const value: unknown = JSON.parse(body.toString());
  const stored = responses.storing({ tenant: "t", value, bodyBytes: body.length, previousId });
  stored?.recording?.add(Buffer.from(JSON.stringify({ ...answer, object: "response" })));
  stored?.recording?.keep({ status: 200, headers: [] }, 0);
}

const inputOf = ({ body }: Expanded): unknown => (JSON.parse(body.toString()) as { readonly input: unknown }).input;

describe("stored responses", () => {
  test("a request that goes on with one brings all that was said, from memory and from the disk", async () => {
    const words = fc.string({ maxLength: 5 });
    const turns = fc.array(fc.record({ asks: words, says: fc.array(words, { maxLength: 2 }), waits: fc.boolean() }), {
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(turns, async (all) => {
        const { responses } = opened();
        const before: unknown[] = [];
        let previous: string | null = null;
        for (const [index, { asks, says, waits }] of all.entries()) {
          const asked: Asked = { input: asks, previous_response_id: previous };
          const request = await sent(responses, asked);
          assert.deepEqual(inputOf(request), previous === null ? asks : [...before, text(asks)]);
          assert.equal(request.previousId, previous);
          const id: string = `resp_${index}`;
          await turn(responses, asked, { id, output: says.map(said) });
          if (waits) await responses.settled();
          before.push(text(asks), ...says.map(said));
          previous = id;
        }
      }),
    );
  });

  test("what an item refers to takes its place, and what is not known here stays", async () => {
    const { responses } = opened();
    const hex = "0".repeat(32);
    const item = { ...said("hello"), id: `msg_${hex}0` };
    await turn(responses, { input: "hi" }, { id: `resp_${hex}`, output: [item] });
    const [known, unknown, foreign] = [`msg_${hex}0`, `msg_${hex}1`, "rs_abc"].map((id) => ({
      type: "item_reference",
      id,
    }));
    const request = await sent(responses, { input: [text("hi"), known, unknown, foreign, text("more")] });
    assert.deepEqual(inputOf(request), [text("hi"), item, unknown, foreign, text("more")]);
  });

  test("requests that refer to nothing wait for nothing, and where nothing is stored none does", () => {
    const asked = { input: "hi", previous_response_id: "resp_1" };
    assert.equal(opened().responses.expand("t", bodyOf({ input: "hi" }), LIMITS), null);
    const { responses } = opened({ keepResponsesSeconds: 0 });
    assert.equal(responses.expand("t", bodyOf(asked), LIMITS), null);
    assert.equal(responses.storing({ tenant: "t", value: asked, bodyBytes: 1, previousId: null }), null);
  });

  test("are another tenant's, expired, deleted, too long or not asked for: the request says so", async () => {
    const { responses } = opened();
    await turn(responses, { input: "x".repeat(80) }, { id: "resp_1", output: [] });
    await turn(responses, { input: "hi", store: false }, { id: "resp_2", output: [] });
    const code = async (tenant: string, id: string): Promise<unknown> => {
      const found = await responses.expand(tenant, bodyOf({ input: "y".repeat(60), previous_response_id: id }), {
        ...LIMITS,
        maxBodyBytes: 200,
      });
      return found !== null && "code" in found ? found.code : found;
    };
    assert.equal(await code("t", "resp_1"), "request_too_large");
    assert.equal(await code("other", "resp_1"), "response_not_found");
    assert.equal(await code("t", "resp_2"), "response_not_found");
    assert.equal(await code("t", "../resp_1"), "response_not_found");
    const short = opened({ keepResponsesSeconds: -1 });
    await turn(short.responses, { input: "hi" }, { id: "resp_1", output: [] });
    const found = await short.responses.expand("t", bodyOf({ input: "hi", previous_response_id: "resp_1" }), LIMITS);
    assert.ok(found !== null && "code" in found && found.code === "response_not_found");
  });

  test("a disk that is full or broken is the operator's to know, and one that cannot be read is told", async () => {
    const { responses, shelf, lines } = opened();
    shelf.freeBytes = 10;
    await turn(responses, { input: "hi" }, { id: "resp_full", output: [] });
    shelf.freeBytes = 1_000_000;
    shelf.trouble = "EIO";
    await turn(responses, { input: "hi" }, { id: "resp_broken", output: [] });
    await turn(responses, { input: "hi" }, { id: "with a blank", output: [] });
    await responses.settled();
    assert.equal(lines.length, 3, lines.join("\n"));
    assert.match(
      lines.join("\n"),
      /resp_full is not stored: there is no room[^]*no id that one can be asked for by[^]*resp_broken is not stored: .*EIO/,
    );
    const found = await responses.expand("t", bodyOf({ input: "hi", previous_response_id: "resp_broken" }), LIMITS);
    assert.deepEqual(found, { code: "storage_unavailable", detail: null, param: null, retryAfterMs: 1000 });
  });

  test("the same id again takes the first one's place, in the order of the answers", async () => {
    const { responses, shelf } = opened();
    let open = (): void => {};
    shelf.gate = new Promise((resolve) => {
      open = resolve;
    });
    await turn(responses, { input: "first" }, { id: "resp_1", output: [] });
    await turn(responses, { input: "second" }, { id: "resp_1", output: [] });
    const request = await sent(responses, { input: "more", previous_response_id: "resp_1" });
    assert.deepEqual(inputOf(request), [text("second"), text("more")]);
    open();
    await responses.settled();
    const after = await sent(responses, { input: "more", previous_response_id: "resp_1" });
    assert.deepEqual(inputOf(after), [text("second"), text("more")]);
  });
});
