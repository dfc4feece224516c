import { BEDROCK } from "../../src/wire/bedrock/shape.ts";
import { eventsOf } from "../../src/wire/form/answer.ts";
import type { FormRequest } from "../../src/wire/form/request.ts";
import { type BackendShape, isUnreadable } from "../../src/wire/form/shape.ts";
import { GEMINI } from "../../src/wire/gemini/shape.ts";
import { OPENAI_CHAT } from "../../src/wire/openai-chat/shape.ts";
import { converseAnswer } from "../clouds/fake-bedrock.ts";
import { BARE } from "./conversations.ts";

const GEMINI_3 = "gemini-3-pro-preview";
const CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
const user = (content: unknown) => ({ role: "user", content });
const call = (id: string, city: string, more: object = {}) => ({
  id,
  type: "function",
  function: { name: "weather", arguments: JSON.stringify({ city }) },
  ...more,
});
const WEATHER = {
  type: "function",
  function: { name: "weather", description: "Of a city", parameters: { type: "object" }, strict: true },
};

/** Requests of OpenAI's chat completions, by what they are about. */
const CHATS: Readonly<Record<string, object>> = {
  text: { messages: [user("Hi")] },
  "instructions and turns": {
    messages: [
      { role: "system", content: "Be brief." },
      { role: "developer", content: "In English." },
      user("Hi"),
      { role: "assistant", content: "Hello" },
      user("Go on"),
      user("please"),
    ],
  },
  "instructions in the middle": {
    messages: [user("Hi"), { role: "system", content: "Now in French." }, user("Go on")],
  },
  pictures: {
    messages: [
      user([
        { type: "text", text: "Compare" },
        { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=", detail: "high" } },
        { type: "image_url", image_url: { url: "https://example.org/b.jpg" } },
      ]),
    ],
  },
  "a sound and a file": {
    messages: [
      user([
        { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } },
        { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,AAAA" } },
        { type: "file", file: { file_id: "file-1" } },
      ]),
    ],
  },
  "calls at once and their results": {
    messages: [
      user("Weather?"),
      { role: "assistant", content: null, tool_calls: [call("c1", "Berlin"), call("c2", "Paris")] },
      { role: "tool", tool_call_id: "c1", content: "rain" },
      { role: "tool", tool_call_id: "c2", content: "sun" },
    ],
    tools: [WEATHER],
    tool_choice: "auto",
    parallel_tool_calls: true,
  },
  "a call with its proof": {
    messages: [
      user("Weather?"),
      {
        role: "assistant",
        tool_calls: [call("c1", "Berlin", { extra_content: { google: { thought_signature: "gemini:c2ln" } } })],
      },
      { role: "tool", tool_call_id: "c1", content: "rain" },
    ],
    tools: [WEATHER],
  },
  "a tool that must be called": {
    messages: [user("Hi")],
    tools: [WEATHER],
    tool_choice: { type: "function", function: { name: "weather" } },
    parallel_tool_calls: false,
  },
  "no tool": { messages: [user("Hi")], tools: [WEATHER], tool_choice: "none" },
  "a schema": {
    messages: [user("Hi")],
    response_format: { type: "json_schema", json_schema: { name: "answer", schema: { type: "object" }, strict: true } },
  },
  JSON: { messages: [user("Hi")], response_format: { type: "json_object" } },
  sampling: {
    messages: [user("Hi")],
    max_completion_tokens: 100,
    temperature: 0.2,
    top_p: 0.9,
    top_k: 40,
    frequency_penalty: 0.1,
    presence_penalty: 0.1,
    seed: 7,
    stop: ["END"],
    logprobs: true,
    top_logprobs: 2,
    logit_bias: { 5: 1 },
  },
  thought: { messages: [user("Hi")], reasoning_effort: "high", max_completion_tokens: 20_000 },
  "no thought": { messages: [user("Hi")], reasoning_effort: "none" },
  "beside the conversation": {
    messages: [user("Hi")],
    user: "u1",
    metadata: { team: "search" },
    store: true,
    n: 2,
    safetySettings: [{ category: "HARM_CATEGORY_HARASSMENT", threshold: "BLOCK_NONE" }],
    guardrailConfig: { guardrailIdentifier: "g", guardrailVersion: "1" },
  },
};

/** What OpenAI's shape does not have: marks for a cache, proofs of thoughts, a tool's failure with a picture. */
const MARKED: FormRequest = {
  ...BARE,
  turns: [
    { role: "system", name: null, parts: [{ kind: "text", text: "Be brief.", cache: "1h" }] },
    { role: "user", name: null, parts: [{ kind: "text", text: "Hi", cache: "default" }] },
    {
      role: "assistant",
      name: null,
      parts: [
        { kind: "reasoning", text: "Hm", signature: "c2ln", encrypted: null },
        { kind: "reasoning", text: "", signature: null, encrypted: "AAAA" },
        { kind: "tool-call", id: "c1", name: "look", argumentsJson: "{}" },
      ],
    },
    {
      role: "user",
      name: null,
      parts: [
        {
          kind: "tool-result",
          callId: "c1",
          isError: true,
          content: [
            { kind: "text", text: "No light" },
            { kind: "image", source: { kind: "data", mediaType: "image/png", base64: "AAAA" }, detail: null },
          ],
        },
      ],
    },
  ],
  tools: [{ name: "look", description: null, parameters: null, strict: null, cache: "5m" }],
  reasoning: { enabled: true, effort: null, budgetTokens: 2048, summary: null },
};

/** Whole answers as the two services give them, by what they are about. */
const GEMINI_ANSWERS: Readonly<Record<string, object>> = {
  "thought, text, sources and usage": {
    responseId: "r1",
    modelVersion: GEMINI_3,
    candidates: [
      {
        content: {
          role: "model",
          parts: [
            { text: "Hm", thought: true },
            { text: "Rain.", thoughtSignature: "c2ln" },
          ],
        },
        finishReason: "STOP",
        groundingMetadata: {
          groundingChunks: [{ web: { uri: "https://w.org", title: "W" } }],
          groundingSupports: [{ segment: { endIndex: 5, text: "Rain." }, groundingChunkIndices: [0] }],
        },
      },
    ],
    usageMetadata: { promptTokenCount: 9, cachedContentTokenCount: 4, candidatesTokenCount: 2, thoughtsTokenCount: 3 },
  },
  "calls with a proof": {
    responseId: "r2",
    candidates: [
      {
        content: { parts: [{ functionCall: { name: "f", args: { a: 1 } }, thoughtSignature: "c2ln" }] },
        finishReason: "STOP",
      },
    ],
  },
  blocked: { promptFeedback: { blockReason: "PROHIBITED_CONTENT" } },
  "cut short": { candidates: [{ content: { parts: [{ text: "Rai" }] }, finishReason: "MAX_TOKENS" }] },
};
const BEDROCK_ANSWERS: Readonly<Record<string, object>> = {
  "thought, text, sources and usage": converseAnswer([
    { reasoningContent: { reasoningText: { text: "Hm", signature: "c2ln" } } },
    {
      citationsContent: {
        content: [{ text: "Rain." }],
        citations: [{ title: "W", location: { web: { url: "https://w.org" } } }],
      },
    },
  ]),
  calls: converseAnswer([{ toolUse: { toolUseId: "t1", name: "f", input: { a: 1 } } }], { stopReason: "tool_use" }),
  filtered: converseAnswer([], { stopReason: "guardrail_intervened" }),
  "cut short": converseAnswer([{ text: "Rai" }], { stopReason: "max_tokens" }),
  "a stop sequence": converseAnswer([{ text: "A" }], {
    stopReason: "stop_sequence",
    additionalModelResponseFields: { stop_sequence: "END" },
  }),
};
const CONTEXT = { requestId: "golden", model: "asked-for", asked: {}, createdSeconds: 1_700_000_000, wantsUsage: true };

/** What clients' requests are for the clouds, and what the clouds' answers are for clients of OpenAI's chat completions. */
export function cloudGoldenFiles(): readonly { readonly name: string; readonly text: string }[] {
  return [
    { name: "gemini-requests.txt", text: requestsText(GEMINI, GEMINI_3) },
    { name: "bedrock-requests.txt", text: requestsText(BEDROCK, CLAUDE) },
    { name: "gemini-answers.txt", text: answersText(GEMINI, GEMINI_ANSWERS) },
    { name: "bedrock-answers.txt", text: answersText(BEDROCK, BEDROCK_ANSWERS) },
  ];
}

function requestsText(shape: BackendShape, model: string): string {
  const read = Object.entries(CHATS).map(([title, chat]): readonly [string, FormRequest] => {
    const request = OPENAI_CHAT.readRequest({ model, ...chat });
    if (isUnreadable(request)) throw new Error(`${title}: ${request.param} ${request.detail}`);
    return [title, request];
  });
  const all = [...read, ["marks, proofs and a failure", { ...MARKED, model }] as const];
  return all.map(([title, request]) => titled(title, shape.printRequest(request))).join("\n");
}

function answersText(shape: BackendShape, cases: Readonly<Record<string, object>>): string {
  const texts = Object.entries(cases).map(([title, value]) => {
    const answer = shape.readAnswer(value);
    if (answer === null || "kind" in answer) throw new Error(`${title}: not read`);
    const printer = OPENAI_CHAT.printer(CONTEXT);
    const stream = eventsOf(answer).map((event) => printer.push(event));
    return `${titled(title, OPENAI_CHAT.printAnswer(answer, CONTEXT))}\n${stream.join("")}`;
  });
  return texts.join("\n");
}

function titled(title: string, value: unknown): string {
  return `# ${title}\n${JSON.stringify(value, null, 2)}\n`;
}
