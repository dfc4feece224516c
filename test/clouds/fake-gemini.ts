import { arrayOf, isObject, objectOf } from "../../src/wire/json.ts";
import { jsonOf } from "../../src/wire/reading.ts";
import { type FakeUpstream, type PlainAnswer, type SeenRequest, startFake, type Voice } from "./fake-upstream.ts";
import { each, faultOf, type Members, object, oneOf } from "./strict.ts";

/** What the fake takes as its caller's proof. */
export interface GeminiFakeOptions {
  /** AI Studio's key, or for Vertex AI the tokens that are good now. */
  readonly auth: { readonly key: string } | { readonly tokens: () => readonly string[]; readonly project: string };
}

const inlineData = object({ mimeType: true, data: true }, ["mimeType", "data"]);
const fileData = object({ mimeType: true, fileUri: true }, ["fileUri"]);
const part = oneOf(
  {
    text: true,
    inlineData,
    fileData,
    functionCall: object({ id: true, name: true, args: true }, ["name", "args"]),
    functionResponse: object(
      {
        id: true,
        name: true,
        response: object({ output: true, error: true }),
        parts: each(oneOf({ inlineData, fileData })),
      },
      ["name", "response"],
    ),
  },
  { thought: true, thoughtSignature: true },
);
const content = object({ role: true, parts: each(part) }, ["parts"]);
const declaration = object({ name: true, description: true, parametersJsonSchema: true }, ["name"]);
const numbers = ["maxOutputTokens", "temperature", "topP", "topK", "frequencyPenalty", "presencePenalty", "seed"];
const REQUEST: Members = {
  contents: each(content),
  systemInstruction: content,
  tools: each(object({ functionDeclarations: each(declaration) })),
  toolConfig: object({ functionCallingConfig: object({ mode: true, allowedFunctionNames: true }, ["mode"]) }),
  generationConfig: object({
    ...Object.fromEntries(numbers.map((name) => [name, isNumber])),
    stopSequences: true,
    responseLogprobs: true,
    logprobs: isNumber,
    responseMimeType: true,
    responseJsonSchema: true,
    thinkingConfig: object({ includeThoughts: true, thinkingBudget: isNumber, thinkingLevel: true }),
  }),
  safetySettings: true,
  cachedContent: true,
  labels: true,
};

function isNumber(value: unknown, path: string): string | null {
  return typeof value === "number" ? null : `${path} is no number`;
}

/** What Gemini would find wrong with a request's body, or null. */
export function geminiFault(value: unknown): string | null {
  const fault = faultOf(value, REQUEST, "request");
  if (fault !== null || !isObject(value)) return fault;
  const contents = arrayOf(value["contents"]).filter(isObject);
  if (contents.length === 0) return "contents are missing";
  const roles = contents.map(({ role }) => role);
  if (roles.some((role, index) => role !== "user" && (role !== "model" || index === 0))) return "a wrong role";
  // A turn that answers calls answers each of them.
  for (const [index, { parts }] of contents.entries()) {
    const calls = arrayOf(parts).filter((each_) => isObject(each_) && "functionCall" in each_).length;
    const next = arrayOf(contents[index + 1]?.["parts"]);
    const responses = next.filter((each_) => isObject(each_) && "functionResponse" in each_).length;
    if (contents[index + 1] !== undefined && calls !== responses) return `${calls} calls and ${responses} responses`;
  }
  return null;
}

const event = (value: unknown): Buffer => Buffer.from(`data: ${JSON.stringify(value)}\r\n\r\n`);
const USAGE = { promptTokenCount: 7, candidatesTokenCount: 5, thoughtsTokenCount: 3, totalTokenCount: 15 };
const IDS = { modelVersion: "fake", responseId: "r1" };

function saying(text: string, more: object = {}): object {
  return { candidates: [{ content: { role: "model", parts: [{ text }] }, index: 0, ...more }], ...IDS };
}

/** An error in Google's shape. */
export function googleError(status: number, message: string, details: readonly object[] = []): PlainAnswer {
  const names: Readonly<Record<number, string>> = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    429: "RESOURCE_EXHAUSTED",
  };
  return { status, body: { error: { code: status, message, status: names[status] ?? "INTERNAL", details } } };
}

function judge(seen: SeenRequest, { auth }: GeminiFakeOptions): PlainAnswer | null {
  if ("key" in auth) {
    if (seen.headers["x-goog-api-key"] !== auth.key) {
      const reason = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID" };
      return googleError(400, "API key not valid. Please pass a valid API key.", [reason]);
    }
    if (seen.method === "GET" && seen.path === "/v1beta/models?pageSize=1000") return { status: 200, body: MODELS };
  } else if (!auth.tokens().some((token) => seen.headers.authorization === `Bearer ${token}`)) {
    return googleError(401, "Request had invalid authentication credentials.");
  }
  const models =
    "key" in auth ? "/v1beta/models" : `/v1/projects/${auth.project}/locations/global/publishers/google/models`;
  const embedded = embeddings(seen, models);
  if (embedded !== null) return embedded;
  const path = /^(.*)\/[^/]+:(?:generateContent|streamGenerateContent\?alt=sse)$/.exec(seen.path);
  if (seen.method !== "POST" || path?.[1] !== models) return googleError(404, "no such path");
  const fault = geminiFault(jsonOf(seen.body.toString("utf8")));
  return fault === null ? null : googleError(400, fault);
}

const oneText = object({ parts: each(object({ text: true }, ["text"])) }, ["parts"]);
const batch = object({
  requests: each(object({ model: true, content: oneText, taskType: true, outputDimensionality: isNumber })),
});
const instance = object({ content: true, task_type: true }, ["content"]);
const prediction = object({ instances: each(instance), parameters: object({ outputDimensionality: isNumber }) }, [
  "instances",
]);

/** Vectors, `[0.5, n]` for the n-th text, of either service. */
function embeddings(seen: SeenRequest, models: string): PlainAnswer | null {
  const isStudio = seen.path === `${models}/embedding-fake:batchEmbedContents`;
  if (!isStudio && seen.path !== `${models}/embedding-fake:predict`) return null;
  const value = jsonOf(seen.body.toString("utf8"));
  const fault = (isStudio ? batch : prediction)(value, "request");
  if (fault !== null) return googleError(400, fault);
  const vectors = arrayOf(objectOf(value)?.[isStudio ? "requests" : "instances"]).map((_, index) => [0.5, index]);
  if (isStudio) return { status: 200, body: { embeddings: vectors.map((values) => ({ values })) } };
  const predictions = vectors.map((values) => ({
    embeddings: { values, statistics: { token_count: 3, truncated: false } },
  }));
  return { status: 200, body: { predictions } };
}

const MODELS = {
  models: [
    { name: "models/gemini-fake", supportedGenerationMethods: ["generateContent", "countTokens"] },
    { name: "models/embedding-fake", supportedGenerationMethods: ["embedContent"] },
  ],
};

/** Starts a fake of Google's `generateContent`, of AI Studio or of Vertex AI. */
export function startFakeGemini(options: GeminiFakeOptions): Promise<FakeUpstream> {
  const voice: Voice = {
    streamType: "text/event-stream",
    judge: (seen) => judge(seen, options),
    modelOf: (path) => /([^/]+):(?:generate|stream)/.exec(path)?.[1] ?? "",
    isStream: (path) => path.includes(":streamGenerateContent"),
    start: () => event(saying("")),
    piece: (text) => event(saying(text)),
    end: (how) =>
      event({ ...saying("", { finishReason: "STOP" }), ...(how === "bare" ? {} : { usageMetadata: USAGE }) }),
    filler: Buffer.from(": still here\n\n"),
    errorEvent: event(googleError(503, "mock: overloaded").body),
    notJson: Buffer.from("data: {nonsense\n\n"),
    whole: (text, hasUsage) => ({
      ...saying(text, { finishReason: "STOP" }),
      ...(hasUsage ? { usageMetadata: USAGE } : {}),
    }),
    fault: googleError,
  };
  return startFake(voice);
}

/** A stream's chunks as Gemini sends them. */
export function geminiEvents(chunks: readonly object[]): readonly Buffer[] {
  return chunks.map(event);
}

/** The parts of a request that the fake got. */
export function partsOf(seen: SeenRequest): readonly unknown[] {
  const body = objectOf(jsonOf(seen.body.toString("utf8")));
  return arrayOf(body?.["contents"]).flatMap((each_) => arrayOf(objectOf(each_)?.["parts"]));
}
