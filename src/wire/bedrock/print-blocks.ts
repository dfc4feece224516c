import { digestOf } from "../../base/hash.ts";
import { type Losses, pathOf } from "../form/losses.ts";
import type { CacheMark, FormPart, FormRequest, FormTurn, MediaSource } from "../form/request.ts";
import { ownSignature } from "../gemini/signature.ts";
import { compact, type JsonObject, objectOf } from "../json.ts";
import { jsonOf } from "../reading.ts";

type PartOf<Kind extends FormPart["kind"]> = Extract<FormPart, { readonly kind: Kind }>;

/** One entry of `messages`. */
interface Message {
  readonly role: "user" | "assistant";
  readonly content: JsonObject[];
}

/** Bedrock's words for formats, by MIME type. */
const IMAGES: Readonly<Record<string, string>> = {
  "image/png": "png",
  "image/jpeg": "jpeg",
  "image/jpg": "jpeg",
  "image/gif": "gif",
  "image/webp": "webp",
};
const DOCUMENTS: Readonly<Record<string, string>> = {
  "application/pdf": "pdf",
  "text/csv": "csv",
  "application/msword": "doc",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
  "application/vnd.ms-excel": "xls",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
  "text/html": "html",
  "text/plain": "txt",
  "text/markdown": "md",
};
const TOOL_USE_ID = /^[\w-]{1,64}$/;

/** A mark up to which Bedrock caches, or nothing. */
export function cachePoint(mark: CacheMark | undefined): readonly JsonObject[] {
  if (mark === undefined) return [];
  return [{ cachePoint: mark === "default" ? { type: "default" } : { type: "default", ttl: mark } }];
}

/** The turns of a request as `system` and `messages`, which must alternate. Owned by one printing. */
export class BlockPrinter {
  readonly system: JsonObject[] = [];
  readonly messages: Message[] = [];
  readonly #losses: Losses;
  #documents = 0;

  constructor(request: FormRequest, losses: Losses) {
    this.#losses = losses;
    for (const [index, turn] of request.turns.entries()) this.#turn(turn, index);
  }

  /** Whether the conversation holds calls of tools or their results. */
  get hasTools(): boolean {
    return this.messages.some(({ content }) => content.some((block) => "toolUse" in block || "toolResult" in block));
  }

  #turn(turn: FormTurn, index: number): void {
    if (turn.name !== null) this.#losses.hint(`turn ${index} name`, "this API names no participants");
    if (turn.role === "system" || turn.role === "developer") return this.#systemTurn(turn, index);
    const content = turn.parts.flatMap((part, at) => this.#blocks(part, pathOf(index, at, part.kind)));
    if (content.length === 0) return;
    const last = this.messages.at(-1);
    if (last?.role === turn.role) last.content.push(...content);
    else this.messages.push({ role: turn.role, content });
  }

  #systemTurn(turn: FormTurn, index: number): void {
    if (this.messages.length > 0) {
      this.#losses.grave(`turn ${index} (${turn.role})`, "this API has instructions before the conversation alone");
    }
    for (const [at, part] of turn.parts.entries()) {
      if (part.kind !== "text") {
        this.#losses.grave(pathOf(index, at, part.kind), "this API takes text alone in instructions");
      } else if (part.text !== "") this.system.push({ text: part.text }, ...cachePoint(part.cache));
    }
  }

  #blocks(part: FormPart, path: string): readonly JsonObject[] {
    const block = this.#block(part, path);
    return block === null ? [] : [block, ...("cache" in part ? cachePoint(part.cache) : [])];
  }

  #block(part: FormPart, path: string): JsonObject | null {
    switch (part.kind) {
      case "text":
        return textBlock(part.text);
      case "refusal":
        this.#losses.hint(path, "this API does not mark a refusal; it is sent as text");
        return textBlock(part.text);
      case "reasoning":
        return this.#thought(part, path);
      case "image":
        if (part.detail !== null && part.detail !== "auto") {
          this.#losses.hint(path, "this API sets no resolution for one image");
        }
        return this.#image(part.source, path);
      case "audio":
        return this.#audio(part, path);
      case "document":
        return this.#document(part, path);
      case "tool-call":
        return this.#call(part, path);
      case "tool-result":
        return this.#result(part, path);
    }
  }

  /** A model takes back its own thought only with the proof that it is. */
  #thought({ text, signature, encrypted }: PartOf<"reasoning">, path: string): JsonObject | null {
    if (encrypted !== null) return { reasoningContent: { redactedContent: encrypted } };
    if (signature !== null && ownSignature(signature) === null) {
      return { reasoningContent: { reasoningText: { text, signature } } };
    }
    this.#losses.hint(path, "this API takes back only thoughts that its models signed");
    return null;
  }

  #image(source: MediaSource, path: string): JsonObject | null {
    const placed = this.#place(source, { path, formats: IMAGES, what: "image" });
    return placed === null ? null : { image: placed };
  }

  #audio({ source, format }: PartOf<"audio">, path: string): JsonObject | null {
    const formats = source.kind === "data" && format !== null ? { [source.mediaType]: format } : {};
    const placed = this.#place(source, { path, formats, what: "sound" });
    return placed === null ? null : { audio: placed };
  }

  #document({ source, name }: PartOf<"document">, path: string): JsonObject | null {
    this.#documents += 1;
    // Bedrock wants a name, of plain characters only.
    const plain = (name ?? "")
      .replaceAll(/[^\w\s()[\]-]+/g, "-")
      .replaceAll(/\s+/g, " ")
      .trim()
      .slice(0, 200);
    const called = { name: plain === "" ? `document-${this.#documents}` : plain };
    if (source.kind === "text") {
      const bytes = Buffer.from(source.text).toString("base64");
      return { document: { format: "txt", ...called, source: { bytes } } };
    }
    const placed = this.#place(source, { path, formats: DOCUMENTS, what: "document" });
    return placed === null ? null : { document: { ...placed, ...called } };
  }

  /** Where a file's bytes are, with its format; null, and told so, where Bedrock cannot have it. */
  #place(
    source: MediaSource,
    of: { readonly path: string; readonly formats: Readonly<Record<string, string>>; readonly what: string },
  ): JsonObject | null {
    if (source.kind === "data") {
      const format = Object.hasOwn(of.formats, source.mediaType) ? of.formats[source.mediaType] : undefined;
      if (format !== undefined) return { format, source: { bytes: source.base64 } };
      this.#losses.grave(of.path, `this API knows no ${of.what} of the type ${source.mediaType}`);
      return null;
    }
    const uri = source.kind === "url" ? source.url : source.id;
    const format = formatOfUri(uri, Object.values(of.formats));
    if (uri.startsWith("s3://") && format !== null) return { format, source: { s3Location: { uri } } };
    this.#losses.grave(
      of.path,
      "this API fetches nothing but s3:// addresses that end in a format it knows; send the bytes",
    );
    return null;
  }

  #call({ id, name, argumentsJson }: PartOf<"tool-call">, path: string): JsonObject {
    const input = argumentsJson.trim() === "" ? {} : objectOf(jsonOf(argumentsJson));
    if (input === null) this.#losses.grave(path, "its arguments are no JSON object, which this API wants");
    return { toolUse: { toolUseId: toolUseId(id), name, input: input ?? {} } };
  }

  #result({ callId, content, isError }: PartOf<"tool-result">, path: string): JsonObject {
    const blocks = content.flatMap((part) => this.#block(part, path) ?? []);
    const status = isError ? "error" : null;
    return { toolResult: compact({ toolUseId: toolUseId(callId), content: blocks, status }) };
  }
}

/** Bedrock refuses blank text. */
function textBlock(text: string): JsonObject | null {
  return text.trim() === "" ? null : { text };
}

/** An id as Bedrock takes it: other providers' may be longer or have other characters. Call and result get the same one. */
function toolUseId(id: string): string {
  return TOOL_USE_ID.test(id) ? id : `call_${digestOf(id)}`;
}

function formatOfUri(uri: string, formats: readonly string[]): string | null {
  const ending = /\.([a-z0-9]+)$/i.exec(uri)?.[1]?.toLowerCase() ?? "";
  const format = ending === "jpg" ? "jpeg" : ending;
  return formats.includes(format) ? format : null;
}
