import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { answers, streamed } from "../../../test/shapes/arbitraries.ts";
import { type AnswerEvent, answerOf, type FormAnswer } from "../form/answer.ts";
import { ResponsesPrinter } from "./printer.ts";
import { readResponse, ResponsesReader } from "./read-answer.ts";
import { printWholeResponse } from "./response.ts";

const CONTEXT = {
  requestId: "0198-ab",
  model: "m",
  asked: { model: "m", input: "x", temperature: 0.5 },
  createdSeconds: 1_700_000_000,
  wantsUsage: true,
};

/** What a response can say of an answer: its own id, the model asked for, and counts that are never unknown. */
function told(answer: FormAnswer): FormAnswer {
  const { usage } = answer;
  const counted =
    usage === null
      ? null
      : { ...usage, cachedInputTokens: usage.cachedInputTokens ?? 0, reasoningTokens: usage.reasoningTokens ?? 0 };
  const { reason } = answer.stop;
  // An answer that was cut short is incomplete, whatever it called before.
  return { ...answer, id: "resp_0198ab", model: "m", usage: counted, stop: { reason, stopSequence: null } };
}

const whole = answers({ kinds: ["reasoning", "text", "refusal"], reasons: ["end", "length", "content-filter"] });

interface Said {
  readonly name: string;
  readonly data: string;
}

function saidBy(text: string): readonly Said[] {
  return text.split("\n\n").flatMap((event) => {
    const parts = /^event: (.*)\ndata: (.*)$/s.exec(event);
    return parts === null ? [] : [{ name: parts[1] ?? "", data: parts[2] ?? "" }];
  });
}

function print(events: readonly AnswerEvent[], asked: unknown = CONTEXT.asked): readonly Said[] {
  const printer = new ResponsesPrinter({ ...CONTEXT, asked });
  return saidBy(events.map((event) => printer.push(event)).join(""));
}

function readAll(said: readonly Said[]): readonly AnswerEvent[] {
  const reader = new ResponsesReader();
  return said.flatMap(({ data }) => reader.push(data) ?? assert.fail(`not read: ${data}`));
}

const cut = whole.chain((answer) => streamed(answer).map((events) => ({ answer, events })));

describe("answers in the shape of responses", () => {
  test("a whole answer is printed and read as it was", () => {
    fc.assert(
      fc.property(whole, (answer) => {
        const printed: unknown = JSON.parse(JSON.stringify(printWholeResponse(answer, CONTEXT)));
        assert.deepEqual(readResponse(printed), told(answer));
      }),
    );
  });

  test("a stream is printed and read as the same answer, however its texts were cut", () => {
    fc.assert(
      fc.property(cut, ({ answer, events }) => assert.deepEqual(answerOf(readAll(print(events))), told(answer))),
    );
  });

  test("the last event holds the response that would have been given whole", () => {
    fc.assert(
      fc.property(cut, ({ answer, events }) => {
        const last = print(events).at(-1);
        const { response } = JSON.parse(last?.data ?? "{}") as { response?: unknown };
        assert.deepEqual(response, JSON.parse(JSON.stringify(printWholeResponse(answer, CONTEXT))));
      }),
    );
  });

  test("events are named as their type, numbered without gaps, and each item that is added is done", () => {
    fc.assert(
      fc.property(cut, ({ events }) => {
        const said = print(events);
        const parsed = said.map(({ data }) => JSON.parse(data) as { type: string; sequence_number: number });
        assert.deepEqual(
          parsed.map(({ type }) => type),
          said.map(({ name }) => name),
        );
        assert.deepEqual(
          parsed.map(({ sequence_number: number }) => number),
          [...parsed.keys()],
        );
        const count = (type: string): number => parsed.filter((event) => event.type === type).length;
        assert.equal(count("response.output_item.added"), count("response.output_item.done"));
        assert.equal(count("response.content_part.added"), count("response.content_part.done"));
      }),
    );
  });

  test("thoughts are told as a summary where one was asked for, with their proof", () => {
    const thought = { kind: "reasoning" } as const;
    const events: readonly AnswerEvent[] = [
      { kind: "start", id: null, model: null },
      { kind: "part", index: 0, head: thought },
      { kind: "text", index: 0, text: "hm" },
      { kind: "signature", index: 0, signature: "sig" },
      { kind: "part-end", index: 0 },
      { kind: "stop", reason: "end", stopSequence: null },
      { kind: "done" },
    ];
    const asked = { reasoning: { summary: "auto" } };
    for (const said of [print(events, asked), print(events)]) {
      const [part] = answerOf(readAll(said))?.parts ?? [];
      assert.deepEqual([part?.head, part?.text, part?.signature], [thought, "hm", "sig"]);
    }
    assert.ok(print(events, asked).some(({ name }) => name === "response.reasoning_summary_text.delta"));
    assert.ok(print(events).some(({ name }) => name === "response.reasoning_text.delta"));
  });

  test("arbitrary JSON is read or refused, and never throws", () => {
    const types = ["created", "output_item.added", "output_text.delta", "output_item.done", "completed", "failed"];
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...types), (value, type) => {
        readResponse(value);
        readResponse({ output: [value, { type: "message", content: value }, { type: "reasoning", summary: value }] });
        const reader = new ResponsesReader();
        reader.push(JSON.stringify(value));
        const members = { response: value, item: value, delta: value, output_index: value, annotation: value };
        reader.push(JSON.stringify({ type: `response.${type}`, ...members }));
      }),
      { examples: [[{ toString: 0 }, "output_item.done"]] },
    );
  });
});
