import { arrayOf, isObject, type JsonObject, numberOf, objectOf } from "../../src/wire/json.ts";
import { geminiEvents } from "../clouds/fake-gemini.ts";
import { CapableModel, type Demand, type Token } from "./model.ts";
import type { Capable } from "./voices.ts";

/** Answers `generateContent` as it asks. */
export function capableGemini(): Capable {
  const model = new CapableModel();
  return (body) => {
    const config = objectOf(body["generationConfig"]) ?? {};
    const count = numberOf(config["logprobs"]);
    if (count !== null && count > 20) return "logprobs must be at most 20";
    const reply = model.answer(demandOf(body, config));
    if (typeof reply === "string") return reply;
    const { call, tokens, end, usage } = reply;
    const usageMetadata = {
      promptTokenCount: usage.prompt,
      cachedContentTokenCount: usage.cached,
      candidatesTokenCount: usage.output,
      totalTokenCount: usage.prompt + usage.output,
    };
    const finishReason = end === "length" ? "MAX_TOKENS" : "STOP";
    const chunk = (parts: readonly JsonObject[], more: JsonObject = {}): JsonObject => ({
      candidates: [{ content: { role: "model", parts }, index: 0, ...more }],
    });
    const told = (some: readonly Token[]): JsonObject =>
      config["responseLogprobs"] === true ? { logprobsResult: logprobsOf(some, count ?? 0) } : {};
    const parts = call === null ? [] : [{ functionCall: { id: call.id, name: call.name, args: call.input } }];
    const spoken = tokens.map((token) => chunk([{ text: token.text }], told([token])));
    const all = call === null ? [{ text: reply.text }] : parts;
    return {
      events: geminiEvents([...spoken, { ...chunk(parts, { finishReason }), usageMetadata }]),
      whole: { ...chunk(all, { finishReason, ...told(tokens) }), usageMetadata },
    };
  };
}

function demandOf(body: JsonObject, config: JsonObject): Demand {
  const contents = arrayOf(body["contents"]).filter(isObject);
  const parts = contents.flatMap((content) => arrayOf(content["parts"]).filter(isObject));
  const calling = objectOf(objectOf(body["toolConfig"])?.["functionCallingConfig"]);
  const [name] = arrayOf(calling?.["allowedFunctionNames"]);
  const mode = calling?.["mode"];
  const idsOf = (member: string): readonly string[] =>
    parts.flatMap((part) => (part[member] === undefined ? [] : [String(objectOf(part[member])?.["id"])]));
  return {
    prompt: contents.map((content) => `${String(content["role"])}: ${JSON.stringify(content["parts"])}`),
    tools: arrayOf(body["tools"])
      .flatMap((tool) => (isObject(tool) ? arrayOf(tool["functionDeclarations"]) : []))
      .filter(isObject)
      .map((each) => ({ name: String(each["name"]), schema: each["parametersJsonSchema"] ?? { type: "object" } })),
    choice: typeof name === "string" ? { name } : mode === "ANY" ? "required" : mode === "NONE" ? "none" : "auto",
    form: objectOf(config["responseJsonSchema"]) ?? (config["responseMimeType"] === "application/json" ? "json" : null),
    maxTokens: numberOf(config["maxOutputTokens"]),
    stop: arrayOf(config["stopSequences"]).filter((each) => typeof each === "string"),
    calls: idsOf("functionCall"),
    results: idsOf("functionResponse"),
  };
}

function logprobsOf(tokens: readonly Token[], count: number): JsonObject {
  const of = (each: { readonly text: string; readonly logprob: number }): JsonObject => ({
    token: each.text,
    logProbability: each.logprob,
  });
  return {
    chosenCandidates: tokens.map(({ top, text }) => of({ text, logprob: top[0]?.logprob ?? 0 })),
    topCandidates: tokens.map(({ top }) => ({ candidates: top.slice(0, count).map(of) })),
  };
}
