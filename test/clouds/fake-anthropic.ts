import { arrayOf, isObject, objectOf, textOf } from "../../src/wire/json.ts";
import { jsonOf } from "../../src/wire/reading.ts";
import { message, sse, streamed } from "../upstream-anthropic/events.ts";
import { type FakeUpstream, type PlainAnswer, type SeenRequest, startFake, type Voice } from "./fake-upstream.ts";
import { each, faultOf, type Members, object } from "./strict.ts";

const isCount = (value: unknown, path: string): string | null =>
  typeof value === "number" && value >= 1 ? null : `${path} is no count`;
const isHeat = (value: unknown, path: string): string | null =>
  typeof value === "number" && value >= 0 && value <= 1 ? null : `${path} is not from 0 to 1`;
const tool = object({ name: true, description: true, input_schema: true, strict: true, cache_control: true }, [
  "name",
  "input_schema",
]);
const REQUEST: Members = {
  model: true,
  max_tokens: isCount,
  messages: each(object({ role: true, content: true }, ["role", "content"])),
  system: true,
  tools: each(tool),
  tool_choice: object({ type: true, name: true, disable_parallel_tool_use: true }, ["type"]),
  thinking: object({ type: true, budget_tokens: true, display: true }, ["type"]),
  output_config: object({ effort: true, format: object({ type: true, schema: true }, ["type", "schema"]) }),
  temperature: isHeat,
  top_p: true,
  top_k: true,
  stop_sequences: true,
  metadata: object({ user_id: true }),
  stream: true,
  service_tier: true,
};

/** What Anthropic would find wrong with a request's body, or null. */
function anthropicFault(value: unknown): string | null {
  const fault = faultOf(value, REQUEST, "request");
  if (fault !== null || !isObject(value)) return fault;
  const messages = arrayOf(value["messages"]).filter(isObject);
  if (value["max_tokens"] === undefined || messages.length === 0) return "max_tokens and messages are needed";
  const wrong = messages.findIndex(({ role }, index) => role !== (index % 2 === 0 ? "user" : "assistant"));
  return wrong === -1 ? null : `messages.${wrong} is out of turn`;
}

function anthropicError(status: number, words: string): PlainAnswer {
  const types: Readonly<Record<number, string>> = { 400: "invalid_request_error", 401: "authentication_error" };
  const type = status === 429 ? "rate_limit_error" : (types[status] ?? "api_error");
  return { status, body: { type: "error", error: { type, message: words }, request_id: "req_1" } };
}

function judge(seen: SeenRequest, key: string): PlainAnswer | null {
  if (seen.headers["x-api-key"] !== key) return anthropicError(401, "invalid x-api-key");
  if (seen.headers["anthropic-version"] !== "2023-06-01") return anthropicError(400, "anthropic-version is missing");
  if (seen.method === "GET") return { status: 200, body: { data: [{ type: "model", id: "claude-fake" }] } };
  if (seen.path !== "/v1/messages") return anthropicError(404, "no such path");
  const fault = anthropicFault(jsonOf(seen.body.toString("utf8")));
  return fault === null ? null : anthropicError(400, fault);
}

const bodyOf = (seen: SeenRequest) => objectOf(jsonOf(seen.body.toString("utf8")));
const told = (text: string) => ({
  content: [{ type: "text", text, citations: null }],
  ending: { stop_reason: "end_turn", stop_sequence: null },
});
/** The events of a message of no words: what comes before its text, and after. */
const EVENTS = [...streamed("msg_1", "claude-fake", told(""))];
const STOP_AT = EVENTS.findIndex((event) => event.startsWith("event: content_block_stop"));

/** Starts a fake of Anthropic's messages that is strict about requests. */
export function startFakeAnthropic({ key }: { readonly key: string }): Promise<FakeUpstream> {
  const voice: Voice = {
    streamType: "text/event-stream",
    judge: (seen) => judge(seen, key),
    modelOf: (seen) => textOf(bodyOf(seen)?.["model"]) ?? "",
    isStream: (seen) => bodyOf(seen)?.["stream"] === true,
    start: () => Buffer.from(EVENTS.slice(0, STOP_AT).join("")),
    piece: (text) => Buffer.from(sse("content_block_delta", { index: 0, delta: { type: "text_delta", text } })),
    end: () => Buffer.from(EVENTS.slice(STOP_AT).join("")),
    filler: Buffer.from(sse("ping", {})),
    errorEvent: Buffer.from(sse("error", { error: { type: "overloaded_error", message: "mock: overloaded" } })),
    notJson: Buffer.from("event: ping\ndata: {nonsense\n\n"),
    whole: (text) => message("msg_1", "claude-fake", told(text)),
    fault: anthropicError,
  };
  return startFake(voice);
}
