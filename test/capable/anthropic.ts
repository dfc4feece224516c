import { arrayOf, isObject, type JsonObject, numberOf, objectOf, textOf } from "../../src/wire/json.ts";
import { message, streamed, type Told } from "../upstream-anthropic/events.ts";
import { CapableModel } from "./model.ts";
import type { Capable } from "./voices.ts";

const ENDS = { stop: "end_turn", sequence: "stop_sequence", length: "max_tokens", call: "tool_use" } as const;
const CHOICES: Readonly<Record<string, "auto" | "none" | "required">> = { auto: "auto", none: "none", any: "required" };

/** Answers Anthropic's messages as they ask. */
export function capableAnthropic(): Capable {
  const model = new CapableModel();
  return (body) => {
    const turns = arrayOf(body["messages"]).filter(isObject);
    const blocks = turns.flatMap(({ content }) => arrayOf(content).filter(isObject));
    const idsOf = (type: string, member: string): readonly string[] =>
      blocks.filter((block) => block["type"] === type).map((block) => String(block[member]));
    const choice = objectOf(body["tool_choice"]);
    const name = textOf(choice?.["name"]);
    const stop = arrayOf(body["stop_sequences"]).filter((each) => typeof each === "string");
    const reply = model.answer({
      prompt: turns.map(({ role, content }) => `${String(role)}: ${JSON.stringify(content)}`),
      tools: arrayOf(body["tools"])
        .filter(isObject)
        .map((tool) => ({ name: String(tool["name"]), schema: tool["input_schema"] })),
      choice: name === null ? (CHOICES[String(choice?.["type"])] ?? "auto") : { name },
      form: objectOf(objectOf(objectOf(body["output_config"])?.["format"])?.["schema"]),
      maxTokens: numberOf(body["max_tokens"]),
      stop,
      calls: idsOf("tool_use", "id"),
      results: idsOf("tool_result", "tool_use_id"),
    });
    if (typeof reply === "string") return reply;
    const { call, text, end, usage } = reply;
    const said = call === null ? { type: "text", text, citations: null } : { type: "tool_use", ...call };
    const told: Told = {
      content: [said],
      ending: { stop_reason: ENDS[end], stop_sequence: end === "sequence" ? (stop[0] ?? null) : null },
      usage: {
        input_tokens: usage.prompt - usage.cached,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: usage.cached,
        output_tokens: usage.output,
      },
    };
    const events = [...streamed("msg_1", "capable", told)].map((event) => Buffer.from(event));
    return { events, whole: message("msg_1", "capable", told) as JsonObject };
  };
}
