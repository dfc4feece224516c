import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FormAnswer, FormUsage } from "../../src/wire/form/answer.ts";
import { type FormPart, type FormRequest, textOfParts } from "../../src/wire/form/request.ts";
import { isUnreadable } from "../../src/wire/form/shape.ts";
import { bedrockFault } from "../clouds/fake-bedrock.ts";
import { geminiFault } from "../clouds/fake-gemini.ts";
import { answersBetween, BACKENDS, CLIENTS, printedFor, saidBy, spokenOf } from "./pairs.ts";
import { RICH } from "./asked.ts";
import { BARE } from "./conversations.ts";
import { RICH_ANSWER } from "./rich-answer.ts";

/** What is wrong with a body by a backend's own rules, where somebody checks them. */
const FAULTS: Readonly<Record<string, (body: unknown) => string | null>> = {
  gemini: geminiFault,
  bedrock: bedrockFault,
};

/** Members of the rich conversation that a backend's API has no word for. */
const LOST: Readonly<Record<string, readonly string[]>> = { responses: ["stop"] };

const wordsOf = (parts: readonly FormPart[]): string => textOfParts(parts);

/** What a conversation says, whatever its turns are cut into. */
function essenceOf({ turns, tools, format, reasoning, sampling, stream }: FormRequest): object {
  const parts = turns.flatMap((turn) => turn.parts);
  return {
    said: turns
      .map(({ role, parts: each }) => [role === "developer" ? "system" : role, wordsOf(each)])
      .filter(([, words]) => words !== ""),
    calls: parts.flatMap((part) =>
      part.kind === "tool-call" ? [[part.id, part.name, JSON.parse(part.argumentsJson) as unknown]] : [],
    ),
    results: parts.flatMap((part) =>
      part.kind === "tool-result" ? [[part.callId, wordsOf(part.content), part.isError]] : [],
    ),
    pictures: parts.flatMap((part) => (part.kind === "image" ? [part.source] : [])),
    tools: tools.map(({ name, description, parameters }) => ({ name, description, parameters })),
    schema: format?.kind === "schema" ? format.schema : null,
    effort: reasoning?.effort ?? null,
    stop: sampling.stop,
    stream,
  };
}

function answerEssence({ parts, stop, usage }: FormAnswer): object {
  const counted = ({ inputTokens, cachedInputTokens, outputTokens }: FormUsage): object => ({
    inputTokens,
    cachedInputTokens,
    outputTokens,
  });
  return {
    parts: parts.map(({ head, text }) =>
      head.kind === "tool-call" ? { ...head, args: JSON.parse(text) as unknown } : { ...head, text },
    ),
    reason: stop.reason,
    usage: usage === null ? null : counted(usage),
  };
}

for (const client of Object.keys(CLIENTS)) {
  for (const backend of Object.keys(BACKENDS)) {
    describe(`a client of ${client} at a backend of ${backend}`, () => {
      test("says all of a rich conversation, or is told what is lost", () => {
        const said = saidBy(client, RICH);
        const { body, losses } = printedFor(backend, said);
        assert.equal(FAULTS[backend]?.(body) ?? null, null);
        const lost = losses.filter(({ isHint }) => !isHint).map(({ path }) => path);
        assert.deepEqual(lost, said.sampling.stop.length > 0 ? (LOST[backend] ?? []) : []);
        const shape = CLIENTS[backend];
        if (shape === undefined) return;
        const heard = shape.readRequest(JSON.parse(JSON.stringify(body)));
        assert.ok(!isUnreadable(heard));
        const without = lost.includes("stop") ? { stop: [] } : {};
        assert.deepEqual(essenceOf(heard), { ...essenceOf(said), ...without });
      });

      test("reads a rich answer, streamed and whole", () => {
        for (const answer of answersBetween(client, backend)) {
          assert.deepEqual(answerEssence(answer), answerEssence(RICH_ANSWER));
        }
      });
    });
  }
}

test("every client says the rich conversation in its own words, or has none for one part of it", () => {
  for (const client of Object.keys(CLIENTS)) {
    const { stop, ...said } = essenceOf(saidBy(client, RICH)) as { readonly stop: readonly string[] };
    const { stop: asked, ...rich } = essenceOf(RICH) as { readonly stop: readonly string[] };
    assert.deepEqual(said, rich, client);
    assert.deepEqual(stop, LOST[client]?.includes("stop") === true ? [] : asked, client);
  }
});

test("what a client asks for is heard, so that no row of the table stands for nothing", () => {
  const heard = (request: FormRequest): string => JSON.stringify({ ...request, extras: [...request.extras] });
  for (const client of Object.keys(CLIENTS)) {
    const nothing = heard(saidBy(client, BARE));
    for (const [title, request] of spokenOf(client)) assert.notEqual(heard(request), nothing, `${client}: ${title}`);
  }
});
