import { CALLS, CITATION, THOUGHT } from "../../upstream-anthropic/mock.ts";

const base = { model: "m", max_tokens: 100 };
const user = (content: unknown): object => ({ role: "user", content });
const assistant = (content: unknown): object => ({ role: "assistant", content });
const text = (words: string, more: object = {}): object => ({ type: "text", text: words, ...more });
const one = { ...base, messages: [user("Hi")] };
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const weather = { name: "weather", description: "Tells the weather.", input_schema: schema, strict: true };
const picture = { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw==" } };

/** Requests of Anthropic's clients, by what they show. */
export const REQUESTS: Readonly<Record<string, object>> = {
  text: one,
  system: {
    ...one,
    system: [text("Be brief."), text("Be kind.", { cache_control: { type: "ephemeral", ttl: "1h" } })],
  },
  turns: { ...base, messages: [user("1"), assistant("2"), user([text("3"), text("4")])] },
  media: {
    ...base,
    messages: [
      user([
        picture,
        { type: "image", source: { type: "url", url: "https://example.org/a.png" } },
        { type: "image", source: { type: "file", file_id: "file_1" } },
        { type: "document", title: "Notes", source: { type: "text", media_type: "text/plain", data: "words" } },
        { type: "document", source: { type: "base64", media_type: "application/pdf", data: "JVBERg==" } },
        { type: "document", citations: { enabled: true }, source: { type: "url", url: "https://example.org/a.pdf" } },
        text("What are these?"),
      ]),
    ],
  },
  tools: {
    ...base,
    tools: [weather, { name: "clock", input_schema: { type: "object" }, cache_control: { type: "ephemeral" } }],
    tool_choice: { type: "any", disable_parallel_tool_use: true },
    messages: [
      user("Weather and time?"),
      assistant([THOUGHT, text("I will look."), ...CALLS]),
      user([
        { type: "tool_result", tool_use_id: "toolu_a", content: [text("sunny"), picture] },
        { type: "tool_result", tool_use_id: "toolu_b", content: "no clock", is_error: true },
        text("And?"),
      ]),
    ],
  },
  "tool-named": { ...one, tools: [weather], tool_choice: { type: "tool", name: "weather" } },
  schema: { ...one, output_config: { effort: "high", format: { type: "json_schema", schema } } },
  "thinking-budget": { ...one, thinking: { type: "enabled", budget_tokens: 2048, display: "omitted" } },
  "thinking-adaptive": { ...one, thinking: { type: "adaptive" }, output_config: { effort: "max" } },
  sampling: { ...one, temperature: 0.5, top_p: 0.9, top_k: 40, stop_sequences: ["END", "STOP"], stream: true },
  "own-things": {
    ...one,
    metadata: { user_id: "u1" },
    service_tier: "standard_only",
    container: "c1",
    mcp_servers: [{ type: "url", url: "https://example.org/mcp", name: "x" }],
    cache_control: { type: "ephemeral" },
    context_management: { edits: [{ type: "clear_thinking_20251015", keep: "all" }] },
    tools: [
      { type: "web_search_20250305", name: "web_search" },
      { ...weather, eager_input_streaming: true },
    ],
    messages: [
      user([{ type: "search_result", source: "a", title: "b", content: [text("c")] }, text("Hi")]),
      assistant([{ type: "server_tool_use", id: "s1", name: "web_search", input: { query: "x" } }]),
      user("So?"),
    ],
  },
};

const end = { stop_reason: "end_turn", stop_sequence: null };
const usage = { input_tokens: 10, output_tokens: 5 };
const message = (content: readonly object[], more: object = {}): object => ({
  id: "msg_01",
  type: "message",
  role: "assistant",
  model: "claude",
  content,
  ...end,
  usage,
  ...more,
});

/** Whole answers of Anthropic backends, by what they show. */
export const ANSWERS: Readonly<Record<string, object>> = {
  text: message([text("Hello.")]),
  thinking: message([THOUGHT, { type: "redacted_thinking", data: "ZW5j" }, text("So.")], {
    usage: { ...usage, output_tokens_details: { thinking_tokens: 3 } },
  }),
  tools: message([text("I will look."), ...CALLS], { stop_reason: "tool_use" }),
  citations: message([text("As said.", { citations: [CITATION] })]),
  cached: message([text("Hello.")], {
    usage: { ...usage, cache_read_input_tokens: 7, cache_creation_input_tokens: 3 },
  }),
  "max-tokens": message([text("Hel")], { stop_reason: "max_tokens" }),
  "context-full": message([text("Hel")], { stop_reason: "model_context_window_exceeded" }),
  "stop-sequence": message([text("Hello.")], { stop_reason: "stop_sequence", stop_sequence: "END" }),
  refusal: message([text("I can")], { stop_reason: "refusal" }),
  pause: message([text("One moment.")], { stop_reason: "pause_turn" }),
};

const chatBase = { model: "m" };
const fn = { name: "weather", description: "Tells the weather.", parameters: schema };

/** Requests of OpenAI's clients that only conversion to Anthropic's shape shows, by what they show. */
export const CHAT_REQUESTS: Readonly<Record<string, object>> = {
  plain: { ...chatBase, messages: [user("Hi")], stream: true },
  conversation: {
    ...chatBase,
    max_completion_tokens: 9,
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", name: "ada", content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AA==" } }] },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "call.1", type: "function", function: { name: "weather", arguments: '{"city":"X"}' } }],
      },
      { role: "tool", tool_call_id: "call.1", content: "sunny" },
      { role: "developer", content: "Now in French." },
      { role: "user", content: "And?" },
    ],
    tools: [{ type: "function", function: fn }],
    tool_choice: { type: "function", function: { name: "weather" } },
    parallel_tool_calls: false,
  },
  options: {
    ...chatBase,
    messages: [user("Hi")],
    n: 2,
    seed: 1,
    temperature: 1.5,
    logprobs: true,
    logit_bias: { 5: 1 },
    frequency_penalty: 1,
    reasoning_effort: "minimal",
    response_format: { type: "json_object" },
    metadata: { a: "b" },
    user: "u1",
    service_tier: "flex",
  },
};
