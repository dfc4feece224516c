import { type AwsCredentials, signV4 } from "../../src/engines/aws-sign.ts";
import { arrayOf, isObject, type JsonObject } from "../../src/wire/json.ts";
import { jsonOf } from "../../src/wire/reading.ts";
import { awsEvent, awsException, awsMessage } from "./aws-frames.ts";
import { type FakeUpstream, type PlainAnswer, type SeenRequest, startFake, type Voice } from "./fake-upstream.ts";
import { each, faultOf, inside, type Members, object, oneOf } from "./strict.ts";

/** What the fake takes as its caller's proof. */
export type BedrockFakeAuth =
  | { readonly key: string }
  | { readonly credentials: AwsCredentials; readonly region: string };

const source = oneOf({ bytes: isBase64, s3Location: object({ uri: true }, ["uri"]) });
const image = object({ format: true, source }, ["format", "source"]);
const document = object({ format: true, name: true, source }, ["format", "name", "source"]);
const cachePoint = object({ type: true, ttl: true }, ["type"]);
const block = oneOf({
  text: isWords,
  image,
  document,
  audio: object({ format: true, source }, ["format", "source"]),
  toolUse: object({ toolUseId: isId, name: true, input: true }, ["toolUseId", "name", "input"]),
  toolResult: object(
    { toolUseId: isId, status: true, content: each(oneOf({ text: isWords, image, document, json: true })) },
    ["toolUseId", "content"],
  ),
  reasoningContent: oneOf({
    reasoningText: object({ text: true, signature: true }, ["text", "signature"]),
    redactedContent: isBase64,
  }),
  cachePoint,
});
const toolSpec = object(
  { name: true, description: true, inputSchema: object({ json: true }, ["json"]), strict: true },
  ["name", "inputSchema"],
);
const jsonSchema = object({ schema: isJsonText, name: true, description: true }, ["schema"]);
const REQUEST: Members = {
  messages: each(object({ role: true, content: each(block) }, ["role", "content"])),
  system: each(oneOf({ text: isWords, cachePoint })),
  inferenceConfig: object({ maxTokens: true, temperature: true, topP: true, stopSequences: true }),
  toolConfig: object(
    { tools: each(oneOf({ toolSpec, cachePoint })), toolChoice: oneOf({ auto: true, any: true, tool: true }) },
    ["tools"],
  ),
  outputConfig: object({
    textFormat: object({ type: true, structure: object({ jsonSchema }) }, ["type", "structure"]),
  }),
  additionalModelRequestFields: true,
  additionalModelResponseFieldPaths: true,
  requestMetadata: true,
  guardrailConfig: true,
};

function isWords(value: unknown, path: string): string | null {
  return typeof value === "string" && value.trim() !== "" ? null : `${path} is blank`;
}

function isId(value: unknown, path: string): string | null {
  return typeof value === "string" && /^[a-zA-Z0-9_-]{1,64}$/.test(value) ? null : `${path} is no id`;
}

function isBase64(value: unknown, path: string): string | null {
  return typeof value === "string" && /^[A-Za-z0-9+/]+={0,2}$/.test(value) ? null : `${path} is no base64`;
}

function isJsonText(value: unknown, path: string): string | null {
  return typeof value === "string" && isObject(jsonOf(value)) ? null : `${path} is no JSON text`;
}

/** What Bedrock would find wrong with a request's body, or null. */
export function bedrockFault(value: unknown): string | null {
  const fault = faultOf(value, REQUEST, "request");
  if (fault !== null || !isObject(value)) return fault;
  const messages = arrayOf(value["messages"]).filter(isObject);
  if (messages.length === 0) return "messages are missing";
  const wrong = messages.findIndex(({ role }, index) => role !== (index % 2 === 0 ? "user" : "assistant"));
  if (wrong !== -1) return `messages.${wrong} is out of turn`;
  const blocks = inside(messages, "content");
  const idOf = (each_: unknown): unknown => (isObject(each_) ? each_["toolUseId"] : null);
  const made = new Set(blocks.flatMap(({ toolUse }) => (toolUse === undefined ? [] : [idOf(toolUse)])));
  const orphan = blocks.some(({ toolResult }) => toolResult !== undefined && !made.has(idOf(toolResult)));
  if (orphan) return "a result of no call";
  return made.size > 0 && value["toolConfig"] === undefined ? "toolConfig is missing" : null;
}

function awsError(status: number, kind: string, message: string): PlainAnswer {
  return { status, headers: { "x-amzn-errortype": `${kind}:http://internal.amazon.com/` }, body: { message } };
}

function isAuthentic(seen: SeenRequest, auth: BedrockFakeAuth): boolean {
  const said = seen.headers.authorization ?? "";
  if ("key" in auth) return said === `Bearer ${auth.key}`;
  const time = String(seen.headers["x-amz-date"]);
  const iso = time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z");
  const atMs = Date.parse(iso);
  if (Number.isNaN(atMs) || Math.abs(Date.now() - atMs) > 300_000) return false;
  const request = {
    method: seen.method,
    host: seen.headers.host ?? "",
    path: seen.path,
    query: "",
    headers: [],
    body: seen.body,
  };
  const signed = signV4(request, auth.credentials, { region: auth.region, service: "bedrock", atMs });
  return (
    signed.at(-1) === said && seen.headers["x-amz-security-token"] === (auth.credentials.sessionToken ?? undefined)
  );
}

function judge(seen: SeenRequest, auth: BedrockFakeAuth): PlainAnswer | null {
  if (seen.method !== "POST") return awsError(404, "UnknownOperationException", "no such operation");
  if (!/^\/model\/[^/:]+\/(?:invoke|converse(?:-stream)?)$/.test(seen.path))
    return awsError(404, "ResourceNotFoundException", "no");
  if (!isAuthentic(seen, auth))
    return awsError(403, "InvalidSignatureException", "The request signature does not match.");
  if (seen.path.endsWith("/invoke")) return embeddings(seen);
  const fault = bedrockFault(jsonOf(seen.body.toString("utf8")));
  return fault === null ? null : awsError(400, "ValidationException", fault);
}

const titan = object({ inputText: isWords, dimensions: true, normalize: true }, ["inputText"]);
const cohere = object({ texts: each(isWords), input_type: true, embedding_types: true, output_dimension: true }, [
  "texts",
  "input_type",
]);

/** Vectors, `[0.5, n]` for the n-th text, in the words of the model's maker. */
function embeddings(seen: SeenRequest): PlainAnswer {
  const value = jsonOf(seen.body.toString("utf8"));
  const isTitan = seen.path.includes("amazon.titan-embed");
  const fault = (isTitan ? titan : cohere)(value, "request");
  if (fault !== null) return awsError(400, "ValidationException", fault);
  if (isTitan) return { status: 200, body: { embedding: [0.5, 0], inputTextTokenCount: 3 } };
  const texts = isObject(value) ? arrayOf(value["texts"]) : [];
  const body = {
    id: "e",
    response_type: "embeddings_by_type",
    embeddings: { float: texts.map((_, index) => [0.5, index]) },
  };
  return { status: 200, body };
}

const USAGE = { inputTokens: 4, outputTokens: 5, totalTokens: 12, cacheReadInputTokens: 2, cacheWriteInputTokens: 1 };
const KINDS: Readonly<Record<number, string>> = {
  400: "ValidationException",
  401: "UnrecognizedClientException",
  429: "ThrottlingException",
};
const END = awsEvent("messageStop", { stopReason: "end_turn" });
const METRICS = { metrics: { latencyMs: 1 } };

/** A whole answer as Converse gives it. */
export function converseAnswer(content: readonly unknown[], more: JsonObject = {}): JsonObject {
  const message = { role: "assistant", content };
  return { output: { message }, stopReason: "end_turn", usage: USAGE, ...METRICS, ...more };
}

/** Starts a fake of Bedrock's Converse. A model's name stands between the last dot and its version. */
export function startFakeBedrock(auth: BedrockFakeAuth): Promise<FakeUpstream> {
  const voice: Voice = {
    streamType: "application/vnd.amazon.eventstream",
    judge: (seen) => judge(seen, auth),
    modelOf: (path) => /([^.]+?)-v\d/.exec(decodeURIComponent(path.split("/")[2] ?? ""))?.[1] ?? "",
    isStream: (path) => path.endsWith("/converse-stream"),
    start: () => awsEvent("messageStart", { role: "assistant" }),
    piece: (text) => awsEvent("contentBlockDelta", { delta: { text }, contentBlockIndex: 0, p: "abc" }),
    end: (how) => {
      const stop = Buffer.concat([awsEvent("contentBlockStop", { contentBlockIndex: 0 }), END]);
      if (how === "cut") return stop;
      return Buffer.concat([stop, awsEvent("metadata", { ...(how === "usage" ? { usage: USAGE } : {}), ...METRICS })]);
    },
    filler: awsEvent("ping", {}),
    errorEvent: awsException("modelStreamErrorException", { message: "mock: broken", originalStatusCode: 500 }),
    notJson: awsMessage({ ":message-type": "event", ":event-type": "messageStart" }, "{nonsense"),
    whole: (text, hasUsage) => converseAnswer([{ text }], hasUsage ? {} : { usage: null }),
    fault: (status, message) => awsError(status, KINDS[status] ?? "InternalServerException", message),
  };
  return startFake(voice);
}

/** A stream's events as Bedrock sends them. */
export function bedrockEvents(events: readonly (readonly [string, unknown])[]): readonly Buffer[] {
  return events.map(([type, payload]) => awsEvent(type, payload));
}
