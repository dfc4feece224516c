import type { CacheMark, FormPart, MediaSource } from "../form/request.ts";
import { readRedacted } from "./encrypted.ts";
import { arrayOf, isObject, type JsonObject, textOf } from "../json.ts";

/** Members that the form has no place for, by path. Owned by one reading of a request. */
export type Extras = Map<string, unknown>;

/** Where something stands in the client's body. */
export interface Place {
  readonly path: string;
  readonly extras: Extras;
}

/** Members that say nothing: a caller that is the model itself, an empty list. */
const SAYS_NOTHING: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ["caller", (value: unknown) => isObject(value) && value["type"] === "direct"],
  ["citations", (value: unknown) => (Array.isArray(value) ? value.length === 0 : isOff(value))],
]);

function isOff(value: unknown): boolean {
  return isObject(value) && value["enabled"] !== true;
}

/** Puts the members of `object` that are not `known` into the extras. */
export function keepOthers(object: JsonObject, known: readonly string[], at: Place): void {
  for (const [name, value] of Object.entries(object)) {
    if (known.includes(name) || value === null || SAYS_NOTHING.get(name)?.(value) === true) continue;
    at.extras.set(at.path === "" ? name : `${at.path}.${name}`, value);
  }
}

/** The mark of a block, as a member of its own so that an absent one is absent. */
export function cacheOf({ cache_control: mark }: JsonObject): { readonly cache?: CacheMark } {
  if (!isObject(mark)) return {};
  const { ttl } = mark;
  return { cache: ttl === "5m" || ttl === "1h" ? ttl : "default" };
}

/** The parts of a message's content, a text or blocks. Blocks that the form has no part for go to the extras whole. */
export function readContent(content: unknown, at: Place): readonly FormPart[] {
  if (typeof content === "string") return [{ kind: "text", text: content }];
  return arrayOf(content).flatMap((block, index) => {
    const path = `${at.path}.${index}`;
    const part = isObject(block) ? readBlock(block, { path, extras: at.extras }) : null;
    if (part === null) at.extras.set(path, block);
    return part ?? [];
  });
}

function readBlock(block: JsonObject, at: Place): FormPart | null {
  switch (block["type"]) {
    case "text":
      return readText(block, at);
    case "image":
      return readImage(block, at);
    case "document":
      return readDocument(block, at);
    case "tool_use":
      return readToolUse(block, at);
    case "tool_result":
      return readToolResult(block, at);
    case "thinking": {
      const signature = textOf(block["signature"]);
      const text = textOf(block["thinking"]) ?? "";
      return { kind: "reasoning", text, signature: signature === "" ? null : signature, encrypted: null };
    }
    case "redacted_thinking":
      return { kind: "reasoning", text: "", signature: null, encrypted: readRedacted(textOf(block["data"]) ?? "") };
    default:
      return null;
  }
}

function readText(block: JsonObject, at: Place): FormPart | null {
  const { text } = block;
  if (typeof text !== "string") return null;
  keepOthers(block, ["type", "text", "cache_control"], at);
  return { kind: "text", text, ...cacheOf(block) };
}

function readImage(block: JsonObject, at: Place): FormPart | null {
  const source = sourceOf(block["source"]);
  if (source === null) return null;
  keepOthers(block, ["type", "source", "cache_control"], at);
  return { kind: "image", source, detail: null, ...cacheOf(block) };
}

function readDocument(block: JsonObject, at: Place): FormPart | null {
  const given = block["source"];
  const text = isObject(given) && given["type"] === "text" ? textOf(given["data"]) : null;
  const source = text === null ? sourceOf(given) : { kind: "text" as const, text };
  if (source === null) return null;
  keepOthers(block, ["type", "source", "title", "cache_control"], at);
  return { kind: "document", source, name: textOf(block["title"]), ...cacheOf(block) };
}

function readToolUse(block: JsonObject, at: Place): FormPart | null {
  const { id, name, input } = block;
  if (typeof id !== "string" || typeof name !== "string") return null;
  keepOthers(block, ["type", "id", "name", "input", "cache_control"], at);
  return { kind: "tool-call", id, name, argumentsJson: JSON.stringify(input ?? {}), ...cacheOf(block) };
}

function readToolResult(block: JsonObject, at: Place): FormPart | null {
  const callId = block["tool_use_id"];
  if (typeof callId !== "string") return null;
  keepOthers(block, ["type", "tool_use_id", "content", "is_error", "cache_control"], at);
  const content = readContent(block["content"], { path: `${at.path}.content`, extras: at.extras });
  return { kind: "tool-result", callId, content, isError: block["is_error"] === true, ...cacheOf(block) };
}

function sourceOf(source: unknown): MediaSource | null {
  if (!isObject(source)) return null;
  const { type, url, file_id: id, media_type: mediaType, data } = source;
  if (type === "url" && typeof url === "string") return { kind: "url", url };
  if (type === "file" && typeof id === "string") return { kind: "file", id };
  if (type !== "base64" || typeof mediaType !== "string" || typeof data !== "string") return null;
  return { kind: "data", mediaType, base64: data };
}
