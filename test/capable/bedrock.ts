import { arrayOf, isObject, type JsonObject, numberOf, objectOf, textOf } from "../../src/wire/json.ts";
import { jsonOf } from "../../src/wire/reading.ts";
import { bedrockEvents, converseAnswer } from "../clouds/fake-bedrock.ts";
import { inside } from "../clouds/strict.ts";
import { CapableModel, type Demand } from "./model.ts";
import type { Capable } from "./voices.ts";

const ENDS = { stop: "end_turn", sequence: "stop_sequence", length: "max_tokens", call: "tool_use" } as const;

/** Answers `Converse` as it asks. */
export function capableBedrock(): Capable {
  const model = new CapableModel();
  return (body) => {
    const reply = model.answer(demandOf(body));
    if (typeof reply === "string") return reply;
    const { call, text, tokens, end, usage } = reply;
    const counts = {
      inputTokens: usage.prompt - usage.cached,
      cacheReadInputTokens: usage.cached,
      cacheWriteInputTokens: 0,
      outputTokens: usage.output,
      totalTokens: usage.prompt + usage.output,
    };
    const stopReason = ENDS[end];
    const start = call && { toolUse: { toolUseId: call.id, name: call.name } };
    const deltas =
      call === null
        ? tokens.map((token) => ({ text: token.text }))
        : [{ toolUse: { input: JSON.stringify(call.input) } }];
    const block = call === null ? { text } : { toolUse: { toolUseId: call.id, name: call.name, input: call.input } };
    const events = bedrockEvents([
      ["messageStart", { role: "assistant" }],
      ...(start === null ? [] : [["contentBlockStart", { contentBlockIndex: 0, start }] as const]),
      ...deltas.map((delta) => ["contentBlockDelta", { contentBlockIndex: 0, delta }] as const),
      ["contentBlockStop", { contentBlockIndex: 0 }],
      ["messageStop", { stopReason }],
      ["metadata", { usage: counts }],
    ]);
    return { events, whole: converseAnswer([block], { stopReason, usage: counts }) };
  };
}

function demandOf(body: JsonObject): Demand {
  const messages = arrayOf(body["messages"]).filter(isObject);
  const blocks = inside(messages, "content");
  const config = objectOf(body["toolConfig"]);
  const choice = objectOf(config?.["toolChoice"]);
  const name = textOf(objectOf(choice?.["tool"])?.["name"]);
  const limits = objectOf(body["inferenceConfig"]);
  const format = objectOf(objectOf(objectOf(body["outputConfig"])?.["textFormat"])?.["structure"]);
  const idsOf = (member: string): readonly string[] =>
    blocks.flatMap((block) => (block[member] === undefined ? [] : [String(objectOf(block[member])?.["toolUseId"])]));
  return {
    prompt: messages.map(({ role, content }) => `${String(role)}: ${JSON.stringify(content)}`),
    tools: arrayOf(config?.["tools"]).flatMap((tool) => {
      const spec = isObject(tool) ? objectOf(tool["toolSpec"]) : null;
      return spec === null ? [] : [{ name: String(spec["name"]), schema: objectOf(spec["inputSchema"])?.["json"] }];
    }),
    choice: name === null ? (choice?.["any"] === undefined ? "auto" : "required") : { name },
    form: objectOf(jsonOf(String(objectOf(format?.["jsonSchema"])?.["schema"]))),
    maxTokens: numberOf(limits?.["maxTokens"]),
    stop: arrayOf(limits?.["stopSequences"]).filter((each) => typeof each === "string"),
    calls: idsOf("toolUse"),
    results: idsOf("toolResult"),
  };
}
