import { DEFAULT_SAMPLING, type FormPart, type FormRequest, type FormTurn } from "../../src/wire/form/request.ts";
import { BARE } from "./conversations.ts";

const text = (words: string): FormPart => ({ kind: "text", text: words });
const turn = (role: FormTurn["role"], ...parts: readonly FormPart[]): FormTurn => ({ role, name: null, parts });
const png = { kind: "data", mediaType: "image/png", base64: "iVBORw0KGgo=" } as const;
const pdf = { kind: "data", mediaType: "application/pdf", base64: "JVBERi0=" } as const;
const image: FormPart = { kind: "image", source: png, detail: null };
const asks = (...parts: readonly FormPart[]): Partial<FormRequest> => ({
  turns: [turn("user", text("Look"), ...parts)],
});
const sampled = (sampling: Partial<FormRequest["sampling"]>): Partial<FormRequest> => ({
  sampling: { ...DEFAULT_SAMPLING, ...sampling },
});
const thinks = (reasoning: Partial<FormRequest["reasoning"] & object>): Partial<FormRequest> => ({
  reasoning: { enabled: null, effort: null, budgetTokens: null, summary: null, ...reasoning },
  maxOutputTokens: 8000,
});
const WEATHER = {
  name: "weather",
  description: "Of a city",
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
  strict: null,
};
const tools = [WEATHER];
const SCHEMA = {
  type: "object",
  properties: { rain: { type: "boolean" } },
  required: ["rain"],
  additionalProperties: false,
};

const called = (id: string, city: string): FormPart => ({
  kind: "tool-call",
  id,
  name: "weather",
  argumentsJson: JSON.stringify({ city }),
});
const gave = (callId: string, more: Partial<FormPart & { readonly kind: "tool-result" }> = {}): FormPart => ({
  kind: "tool-result",
  callId,
  content: [text("rain")],
  isError: false,
  ...more,
});
/** Calls that are made at once, and what they came to. */
const calls = (...results: readonly FormPart[]): Partial<FormRequest> => ({
  tools,
  turns: [
    turn("user", text("Weather?")),
    turn("assistant", ...results.map((_, index) => called(`call_${index}`, index === 0 ? "Zürich" : "Rome"))),
    turn("user", ...results),
  ],
});
const earlier = (...parts: readonly FormPart[]): Partial<FormRequest> => ({
  turns: [turn("user", text("Hi")), turn("assistant", ...parts), turn("user", text("Go on"))],
});

/** What can be asked for, one by one. */
export const ASKED: Readonly<Record<string, Partial<FormRequest>>> = {
  instructions: { turns: [turn("system", text("Be brief.")), ...BARE.turns] },
  "instructions in the middle": {
    turns: [...BARE.turns, turn("system", text("In French.")), turn("user", text("Go on"))],
  },
  "a participant's name": { turns: [{ ...turn("user", text("Hi")), name: "ada" }] },
  "a picture": asks(image),
  "a picture by URL": asks({ kind: "image", source: { kind: "url", url: "https://example.org/a.png" }, detail: null }),
  "a picture's detail": asks({ kind: "image", source: png, detail: "high" }),
  sound: asks({ kind: "audio", source: { kind: "data", mediaType: "audio/wav", base64: "UklGRg==" }, format: "wav" }),
  "a PDF": asks({ kind: "document", source: pdf, name: "a.pdf" }),
  "a PDF by URL": asks({ kind: "document", source: { kind: "url", url: "https://example.org/a.pdf" }, name: null }),
  "a stored file's id": asks({ kind: "document", source: { kind: "file", id: "file-1" }, name: null }),
  tools: { tools },
  "strict tools": { tools: [{ ...WEATHER, strict: true }] },
  "a tool that must be called": { tools, toolChoice: { kind: "named", name: "weather" } },
  "any tool must be called": { tools, toolChoice: { kind: "required" } },
  "no tool may be called": { tools, toolChoice: { kind: "none" } },
  "one call at a time": { tools, parallelToolCalls: false },
  "calls at once and their results": calls(gave("call_0"), gave("call_1")),
  "a result that is a failure": calls(gave("call_0", { isError: true })),
  "a picture in a result": calls(gave("call_0", { content: [text("Seen"), image] })),
  "a JSON Schema": { format: { kind: "schema", name: "answer", description: null, schema: SCHEMA, strict: true } },
  "a schema's description": {
    format: { kind: "schema", name: "answer", description: "Whether it rains", schema: SCHEMA, strict: true },
  },
  "JSON without a schema": { format: { kind: "json" } },
  "effort of thought": thinks({ enabled: true, effort: "high" }),
  "no thought": thinks({ enabled: false, effort: "none" }),
  "tokens for thought": thinks({ enabled: true, budgetTokens: 2048 }),
  "a summary of thought": thinks({ enabled: true, effort: "high", summary: "auto" }),
  "an earlier thought": earlier({ kind: "reasoning", text: "Hm", signature: null, encrypted: null }, text("Hello")),
  "an earlier thought with its proof": earlier(
    { kind: "reasoning", text: "Hm", signature: "c2ln", encrypted: null },
    text("Hello"),
  ),
  "an earlier thought, encrypted": earlier(
    { kind: "reasoning", text: "", signature: null, encrypted: "AAAA" },
    text("Hello"),
  ),
  "an earlier refusal": earlier({ kind: "refusal", text: "No." }),
  temperature: sampled({ temperature: 0.5 }),
  "a temperature above 1": sampled({ temperature: 1.5 }),
  top_p: sampled({ topP: 0.9 }),
  top_k: sampled({ topK: 40 }),
  "stop sequences": sampled({ stop: ["END"] }),
  "a seed": sampled({ seed: 7 }),
  penalties: sampled({ frequencyPenalty: 0.5, presencePenalty: 0.5 }),
  "a bias of tokens": sampled({ logitBias: { 5: 1 } }),
  "log probabilities": sampled({ topLogprobs: 2 }),
  "most output tokens": { maxOutputTokens: 100 },
  "a mark for the prompt cache": { turns: [turn("user", { kind: "text", text: "Hi", cache: "default" })] },
  "the end user's id": { user: "u1" },
  metadata: { metadata: { team: "search" } },
};

/** A conversation that has most of it at once. */
export const RICH: FormRequest = {
  ...BARE,
  ...thinks({ enabled: true, effort: "high" }),
  turns: [
    turn("system", text("Be brief.")),
    turn("user", text("Weather where this is, and in Rome?"), image),
    turn("assistant", called("call_0", "Zürich"), called("call_1", "Rome")),
    turn("user", gave("call_0"), gave("call_1", { content: [text("sun")] })),
    turn("assistant", text("Rain and sun.")),
    turn("user", text("Put it into an object.")),
  ],
  tools,
  format: { kind: "schema", name: "answer", description: null, schema: SCHEMA, strict: true },
  sampling: { ...DEFAULT_SAMPLING, stop: ["END"] },
  stream: true,
};

/** Bodies that ask for nothing but one text, by the API. */
export const BARE_BODIES: Readonly<Record<string, object>> = {
  chat: { model: "m", messages: [{ role: "user", content: "Hi" }] },
  responses: { model: "m", input: "Hi" },
  messages: { model: "m", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] },
};

/** What clients say that a backend of the same API is not told in these words, or that no other API has. */
export const OWN_WORDS: Readonly<Record<string, Readonly<Record<string, object>>>> = {
  chat: {
    top_k: { top_k: 40 },
    metadata: { metadata: { team: "search" } },
    "an earlier thought": {
      messages: [
        { role: "user", content: "Hi" },
        { role: "assistant", content: "Hello", reasoning_content: "Hm" },
        { role: "user", content: "Go on" },
      ],
    },
    "several answers (`n`)": { n: 2 },
    "a prediction": { prediction: { type: "content", content: "Hi" } },
    "`store`, `service_tier`": { store: true, service_tier: "flex" },
    "the provider's own search": { web_search_options: {} },
  },
  responses: {
    "the provider's own tools": { tools: [{ type: "web_search" }] },
    "`background`": { background: true },
    "`truncation: auto`": { truncation: "auto" },
    "`text.verbosity`": { text: { verbosity: "low" } },
  },
  messages: {
    "the provider's own tools": { tools: [{ type: "web_search_20250305", name: "web_search" }] },
    "`service_tier`": { service_tier: "standard_only" },
    "citations of a document": {
      messages: [
        {
          role: "user",
          content: [
            {
              type: "document",
              source: { type: "text", media_type: "text/plain", data: "Rain." },
              citations: { enabled: true },
            },
          ],
        },
      ],
    },
  },
};
