import fc from "fast-check";
import { DEFAULT_SAMPLING, type FormPart, type FormRequest, type FormTurn } from "../../src/wire/form/request.ts";
import { plain } from "./arbitraries.ts";

/** A request of which nothing is asked but one text. */
export const BARE: FormRequest = {
  model: "m",
  turns: [{ role: "user", name: null, parts: [{ kind: "text", text: "Hi" }] }],
  tools: [],
  toolChoice: null,
  parallelToolCalls: null,
  format: null,
  reasoning: null,
  sampling: DEFAULT_SAMPLING,
  maxOutputTokens: null,
  stream: false,
  user: null,
  metadata: null,
  extras: new Map(),
};

const words = fc.string({ minLength: 1, maxLength: 12 }).filter((text) => text.trim() !== "");
const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,12}$/);
const mark = fc.constantFrom("default" as const, "5m" as const, "1h" as const);
const data = (mediaType: string) => fc.constant({ kind: "data" as const, mediaType, base64: "AAAA" });

const text: fc.Arbitrary<FormPart> = fc.record(
  { kind: fc.constant("text" as const), text: words, cache: mark },
  { requiredKeys: ["kind", "text"] },
);
const image: fc.Arbitrary<FormPart> = fc.record({
  kind: fc.constant("image" as const),
  source: fc.oneof(
    data("image/png"),
    data("image/tiff"),
    fc.constant({ kind: "url" as const, url: "https://example.org/a.png" }),
    fc.constant({ kind: "url" as const, url: "s3://bucket/a.jpg" }),
    fc.constant({ kind: "file" as const, id: "file-1" }),
  ),
  detail: fc.constantFrom(null, "high"),
});
const document: fc.Arbitrary<FormPart> = fc.record({
  kind: fc.constant("document" as const),
  source: fc.oneof(data("application/pdf"), fc.record({ kind: fc.constant("text" as const), text: words })),
  name: fc.constantFrom(null, "Report (1).pdf", "§ü"),
});
const thought: fc.Arbitrary<FormPart> = fc.record({
  kind: fc.constant("reasoning" as const),
  text: words,
  signature: fc.constantFrom(null, "c2ln", "gemini:c2ln"),
  encrypted: fc.constantFrom(null, "AAAA"),
});

/** Calls of one turn and the turn that answers each of them. */
const called: fc.Arbitrary<readonly FormTurn[]> = fc
  .array(
    fc.record({
      name,
      id: fc.oneof(name, fc.string({ minLength: 1, maxLength: 80 })),
      argumentsJson: fc.constantFrom("", "{}", '{"a":1}', "[1]", "no JSON"),
      content: fc.array(fc.oneof(text, image, document), { maxLength: 2 }),
      isError: fc.boolean(),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((calls) => [
    {
      role: "assistant" as const,
      name: null,
      parts: calls.map(({ id, name: fn, argumentsJson }, index) => ({
        kind: "tool-call" as const,
        id: `${index}${id}`,
        name: fn,
        argumentsJson,
      })),
    },
    {
      role: "user" as const,
      name: null,
      parts: calls.map(({ id, content, isError }, index) => ({
        kind: "tool-result" as const,
        callId: `${index}${id}`,
        content,
        isError,
      })),
    },
  ]);

const said = (role: FormTurn["role"], parts: fc.Arbitrary<readonly FormPart[]>): fc.Arbitrary<readonly FormTurn[]> =>
  parts.map((each) => [{ role, name: null, parts: each }]);
const user = said("user", fc.array(fc.oneof(text, image, document), { minLength: 1, maxLength: 3 }));

/** Conversations as clients have them: instructions, a word of the user's, and then words and calls that are answered. */
const turns: fc.Arbitrary<readonly FormTurn[]> = fc
  .tuple(
    fc.array(said("system", fc.array(text, { minLength: 1, maxLength: 2 })), { maxLength: 2 }),
    fc.constant(BARE.turns),
    fc.array(
      fc.oneof(user, said("assistant", fc.array(fc.oneof(text, thought), { minLength: 1, maxLength: 3 })), called),
      {
        maxLength: 4,
      },
    ),
  )
  .map(([system, first, rest]) => [...system.flat(), ...first, ...rest.flat()]);

const tool = fc.record(
  {
    name,
    description: fc.option(words),
    parameters: fc.constantFrom(null, { type: "object" }),
    strict: fc.option(fc.boolean()),
    cache: mark,
  },
  { requiredKeys: ["name", "description", "parameters", "strict"] },
);

/** Requests that ask for anything that the form has. */
export const requests: fc.Arbitrary<FormRequest> = fc
  .record({
    model: fc.constantFrom(
      "gemini-2.5-flash",
      "gemini-3-pro-preview",
      "eu.anthropic.claude-sonnet-4-6",
      "amazon.nova-2-lite-v1:0",
    ),
    turns,
    tools: fc.array(tool, { minLength: 1, maxLength: 2 }),
    toolChoice: fc.constantFrom(
      null,
      { kind: "auto" as const },
      { kind: "none" as const },
      { kind: "named" as const, name: "f" },
    ),
    parallelToolCalls: fc.option(fc.boolean()),
    format: fc.constantFrom(
      null,
      { kind: "json" as const },
      {
        kind: "schema" as const,
        name: "answer",
        description: "d",
        schema: { type: "object" },
        strict: true,
      },
    ),
    reasoning: fc.option(
      fc.record({
        enabled: fc.option(fc.boolean()),
        effort: fc.constantFrom(null, "none", "minimal", "low", "high", "xhigh", "unheard-of"),
        budgetTokens: fc.constantFrom(null, 2000),
        summary: fc.constant(null),
      }),
    ),
    sampling: fc.record({
      temperature: fc.constantFrom(null, 0.5),
      topP: fc.constantFrom(null, 0.9),
      topK: fc.constantFrom(null, 40),
      frequencyPenalty: fc.constantFrom(null, 0, 1),
      presencePenalty: fc.constantFrom(null, 0, 1),
      seed: fc.constantFrom(null, 7),
      stop: fc.array(words, { maxLength: 2 }),
      logitBias: fc.constantFrom(null, { 5: 1 }),
      topLogprobs: fc.constantFrom(null, 0, 3),
    }),
    maxOutputTokens: fc.constantFrom(null, 10, 5000),
    user: fc.constantFrom(null, "u"),
    metadata: fc.constantFrom(null, { team: "search" }, { ä: "ö" }),
  })
  .map(plain)
  .map((drawn) => ({ ...BARE, ...drawn }));
