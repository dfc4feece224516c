import type { Losses } from "../form/losses.ts";
import type { CacheMark, FormPart, MediaSource } from "../form/request.ts";
import { compact, isObject, type JsonObject } from "../json.ts";
import { jsonOf } from "../reading.ts";
import { redactedOf } from "./encrypted.ts";

/** Where a part stands, and what is lost of it. */
export interface PartPlace {
  readonly path: string;
  readonly losses: Losses;
}

type PartOf<Kind extends FormPart["kind"]> = Extract<FormPart, { readonly kind: Kind }>;

/** A cache mark as Anthropic writes it, or null without one. */
export function printCache(cache: CacheMark | undefined): JsonObject | null {
  if (cache === undefined) return null;
  return cache === "default" ? { type: "ephemeral" } : { type: "ephemeral", ttl: cache };
}

/** The blocks that a part comes to: one, or none where it says nothing or cannot be expressed. */
export function printPart(part: FormPart, at: PartPlace): readonly JsonObject[] {
  const block = blockOf(part, at);
  return block === null ? [] : [block];
}

function blockOf(part: FormPart, at: PartPlace): JsonObject | null {
  switch (part.kind) {
    case "text":
      // The API refuses empty text.
      return part.text === ""
        ? null
        : compact({ type: "text", text: part.text, cache_control: printCache(part.cache) });
    case "refusal":
      at.losses.hint(at.path, "this API does not mark a refusal; it is sent as text");
      return part.text === "" ? null : { type: "text", text: part.text };
    case "reasoning":
      return printReasoning(part, at);
    case "image":
      return printImage(part, at);
    case "audio":
      at.losses.grave(at.path, "this API takes no sound");
      return null;
    case "document":
      return printDocument(part, at);
    case "tool-call":
      return printCall(part, at);
    case "tool-result":
      return printResult(part, at);
  }
}

function printReasoning(
  { text, signature, encrypted }: PartOf<"reasoning">,
  { path, losses }: PartPlace,
): JsonObject | null {
  if (encrypted !== null) {
    const data = redactedOf(encrypted);
    return data === null
      ? { type: "thinking", thinking: "", signature: encrypted }
      : { type: "redacted_thinking", data };
  }
  if (signature !== null) return { type: "thinking", thinking: text, signature };
  losses.hint(path, "this API takes back only thoughts that it signed");
  return null;
}

function printImage({ source, detail, cache }: PartOf<"image">, { path, losses }: PartPlace): JsonObject {
  if (detail !== null && detail !== "auto") losses.hint(path, "this API has no levels of detail");
  return compact({ type: "image", source: printSource(source), cache_control: printCache(cache) });
}

function printSource(source: MediaSource): JsonObject {
  switch (source.kind) {
    case "url":
      return { type: "url", url: source.url };
    case "file":
      return { type: "file", file_id: source.id };
    case "data":
      return { type: "base64", media_type: source.mediaType, data: source.base64 };
  }
}

function printDocument({ source, name, cache }: PartOf<"document">, { path, losses }: PartPlace): JsonObject | null {
  const more = { title: name, cache_control: printCache(cache) };
  const plain = source.kind === "text" ? source.text : textOfData(source);
  if (plain !== null) {
    return compact({ type: "document", source: { type: "text", media_type: "text/plain", data: plain }, ...more });
  }
  if (source.kind === "data" && source.mediaType !== "application/pdf") {
    losses.grave(path, "this API takes documents of plain text and PDF alone");
    return null;
  }
  return source.kind === "text" ? null : compact({ type: "document", source: printSource(source), ...more });
}

function textOfData(source: MediaSource): string | null {
  if (source.kind !== "data" || source.mediaType !== "text/plain") return null;
  return Buffer.from(source.base64, "base64").toString("utf8");
}

function printCall({ id, name, argumentsJson, cache }: PartOf<"tool-call">, { path, losses }: PartPlace): JsonObject {
  const input = argumentsJson.trim() === "" ? {} : jsonOf(argumentsJson);
  if (!isObject(input)) losses.grave(path, "this API takes calls whose arguments are a JSON object");
  return compact({
    type: "tool_use",
    id: plainId(id),
    name,
    input: isObject(input) ? input : {},
    cache_control: printCache(cache),
  });
}

function printResult(part: PartOf<"tool-result">, { path, losses }: PartPlace): JsonObject {
  const content = part.content.flatMap((each, index) => printPart(each, { path: `${path} ${index}`, losses }));
  return compact({
    type: "tool_result",
    tool_use_id: plainId(part.callId),
    content: content.length === 0 ? null : content,
    is_error: part.isError ? true : null,
    cache_control: printCache(part.cache),
  });
}

/** The API takes ids of letters, digits, `_` and `-` alone; a call and its result change alike. */
function plainId(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9_-]/g, "_");
}
