import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { printSse, SSE_DONE } from "../sse.ts";
import { itemId, responseOfItem } from "./item.ts";
import { responseId } from "./response.ts";
import { FinalResponse, listedItems, withInput } from "./stored.ts";

const RESPONSE = { id: "resp_1", object: "response", output: [{ type: "message", id: "msg_1" }] };

describe("the response in an answer", () => {
  test("is found in a stream, however its bytes are cut, and whatever its texts say", () => {
    const texts = fc.array(fc.oneof(fc.string(), fc.constant('{"type":"response.completed","response":{}}')));
    const ending = fc.constantFrom("response.completed", "response.incomplete", "response.failed");
    fc.assert(
      fc.property(texts, ending, fc.array(fc.nat(200)), (deltas, type, cuts) => {
        const events = deltas.map((delta) => ({ type: "response.output_text.delta", delta }));
        const all = [...events, { type, response: RESPONSE }].map((event) => Buffer.from(printSse(event)));
        const bytes = Buffer.concat([...all, SSE_DONE]);
        const final = new FinalResponse(true);
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          final.add(bytes.subarray(at, at + cut));
          at = Math.min(bytes.length, at + cut);
        }
        assert.deepEqual(final.read()?.response, RESPONSE);
      }),
    );
  });

  test("is the body of a whole answer, and nothing where that is no response", () => {
    for (const [body, found] of [
      [JSON.stringify(RESPONSE), RESPONSE],
      ['{"object":"chat.completion"}', undefined],
      ["[]", undefined],
      ["", undefined],
      ["{", undefined],
    ] as const) {
      const final = new FinalResponse(false);
      final.add(Buffer.from(body));
      assert.deepEqual(final.read()?.response, found);
      final.drop();
      assert.equal(final.read(), null);
    }
  });
});

test("a body gets its conversation and keeps every other byte", () => {
  const body = Buffer.from('{"model":"m", "input":"hi","seed":12345678901234567890,"previous_response_id":"resp_1"}');
  const items = [{ role: "user", content: "hi" }];
  assert.equal(
    withInput(body, items, true).toString(),
    '{"model":"m", "input":[{"role":"user","content":"hi"}],"seed":12345678901234567890,"previous_response_id":null}',
  );
  assert.match(withInput(body, items, false).toString(), /"previous_response_id":"resp_1"/);
});

test("the input is listed with ids of its own and texts as parts", () => {
  const input = [
    { role: "user", content: "hi" },
    { role: "assistant", content: "hello", id: "msg_x" },
    { type: "function_call_output", call_id: "c", output: "rain" },
  ];
  assert.deepEqual(listedItems({ response: { id: "resp_1" }, input }), [
    { type: "message", id: "msg_1_0", role: "user", content: [{ type: "input_text", text: "hi" }] },
    { type: "message", id: "msg_x", role: "assistant", content: [{ type: "output_text", text: "hello" }] },
    { type: "function_call_output", id: "item_1_2", call_id: "c", output: "rain" },
  ]);
});

test("an item's id tells its response's, and another's tells none", () => {
  const context = {
    requestId: "018bcfe5-6800-7000-8000-000000000001",
    model: "m",
    asked: {},
    createdSeconds: 0,
    wantsUsage: true,
  };
  for (const kind of ["text", "refusal", "tool-call", "reasoning", "encrypted-reasoning"] as const) {
    for (const index of [0, 12])
      assert.equal(responseOfItem(itemId(kind, context, index)), responseId(context.requestId));
  }
  for (const id of ["msg_1", "rs_68af4030aa", "x", ""]) assert.equal(responseOfItem(id), null);
});
