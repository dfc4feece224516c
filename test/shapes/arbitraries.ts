import fc from "fast-check";
import {
  type AnswerEvent,
  type AnswerPart,
  type AnswerPartHead,
  eventsOf,
  type FormAnswer,
  type StopReason,
} from "../../src/wire/form/answer.ts";

const words = fc.string({ minLength: 1, maxLength: 12, unit: "binary" });
const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,12}$/);
const count = fc.nat({ max: 100_000 });

function partOf(head: fc.Arbitrary<AnswerPartHead>, text: fc.Arbitrary<string>): fc.Arbitrary<AnswerPart> {
  return fc.record({ head, text }).map((part) => ({ ...part, signature: null, citations: [], logprobs: null }));
}

/** What the shapes under test have in common. */
export interface AnswerLimits {
  /** Kinds of parts, each at most once and in this order, before the calls. */
  readonly kinds: readonly ("reasoning" | "text" | "refusal")[];
  readonly reasons: readonly StopReason[];
}

/** Answers that a shape can express whole. */
export function answers({ kinds, reasons }: AnswerLimits): fc.Arbitrary<FormAnswer> {
  const told = fc
    .tuple(...kinds.map((kind) => fc.option(partOf(fc.constant({ kind }), words))))
    .map((parts) => parts.filter((part) => part !== null));
  const id = fc.uuid();
  const call = partOf(
    fc.record({ kind: fc.constant("tool-call" as const), id, name }),
    fc.constantFrom("", "{}", '{"a":1}'),
  );
  const usage = fc.record({
    inputTokens: count,
    cachedInputTokens: fc.option(count),
    cacheWriteTokens: fc.constant(null),
    outputTokens: count,
    reasoningTokens: fc.option(count),
    reportedCostNanoUsd: fc.constant(null),
  });
  const head = fc.record({
    id: name,
    model: name,
    told,
    calls: fc.array(call, { maxLength: 3 }),
    usage: fc.option(usage),
  });
  return fc
    .tuple(head, fc.constantFrom(...reasons))
    .map(([{ told: parts, calls, ...rest }, reason]) => ({
      ...rest,
      parts: [...parts, ...calls],
      stop: { reason: calls.length > 0 ? ("tool-calls" as const) : reason, stopSequence: null },
    }))
    .map(plain);
}

/** A drawn value as JSON would give it: fast-check's records have no prototype. */
export function plain<T>(drawn: T): T {
  return JSON.parse(JSON.stringify(drawn)) as T;
}

/** The events of an answer with its texts cut into pieces at random. */
export function streamed(answer: FormAnswer): fc.Arbitrary<readonly AnswerEvent[]> {
  return fc.infiniteStream(fc.nat({ max: 5 })).map((lengths) =>
    eventsOf(answer).flatMap((event): readonly AnswerEvent[] => {
      if (event.kind !== "text") return [event];
      const pieces: AnswerEvent[] = [];
      for (let at = 0; at < event.text.length;) {
        const length = 1 + (lengths.next().value ?? 0);
        pieces.push({ ...event, text: event.text.slice(at, at + length) });
        at += length;
      }
      return pieces;
    }),
  );
}
