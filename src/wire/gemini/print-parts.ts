import { type Losses, pathOf } from "../form/losses.ts";
import { type FormPart, type FormRequest, type FormTurn, type MediaSource, textOfParts } from "../form/request.ts";
import { compact, type JsonObject, objectOf } from "../json.ts";
import { jsonOf } from "../reading.ts";
import { ownSignature } from "./signature.ts";

type PartOf<Kind extends FormPart["kind"]> = Extract<FormPart, { readonly kind: Kind }>;

/** One entry of `contents`. */
interface Content {
  readonly role: "user" | "model";
  readonly parts: JsonObject[];
}

/**
 * What Gemini takes in a signature's place where a call has none, such as one that another model made ("Thought signatures",
 * ai.google.dev): from version 3 on the first call of each step must have one.
 */
const NO_SIGNATURE = "skip_thought_signature_validator";

/** MIME types by the ending of a URL's path, for files that Gemini fetches itself. */
const TYPES: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  webp: "image/webp",
  heic: "image/heic",
  gif: "image/gif",
  pdf: "application/pdf",
  txt: "text/plain",
  mp3: "audio/mp3",
  wav: "audio/wav",
};

/** Whether a model is of the generation that thinks by levels and wants its signatures back. */
export function isThirdGeneration(model: string): boolean {
  return /gemini-(?:[3-9]|[1-9]\d|[a-z-]*latest)/.test(model);
}

/** The turns of a request as `systemInstruction` and `contents`. Owned by one printing. */
export class ContentPrinter {
  readonly system: JsonObject[] = [];
  readonly contents: Content[] = [];
  readonly #losses: Losses;
  readonly #wantsSignatures: boolean;
  /** Functions' names by the ids of their calls: Gemini wants a result to name its function. */
  readonly #names = new Map<string, string>();

  constructor(request: FormRequest, losses: Losses) {
    this.#losses = losses;
    this.#wantsSignatures = isThirdGeneration(request.model);
    for (const [index, turn] of request.turns.entries()) this.#turn(turn, index);
  }

  #turn(turn: FormTurn, index: number): void {
    if (turn.name !== null) this.#losses.hint(`turn ${index} name`, "this API names no participants");
    if (turn.role === "system" || turn.role === "developer") return this.#systemTurn(turn, index);
    const role = turn.role === "assistant" ? "model" : "user";
    const parts = turn.parts.flatMap((part, at) => this.#part(part, pathOf(index, at, part.kind)));
    if (role === "model" && this.#wantsSignatures) signFirstCall(parts);
    if (parts.length === 0) return;
    const last = this.contents.at(-1);
    if (last?.role === role) last.parts.push(...parts);
    else this.contents.push({ role, parts });
  }

  #systemTurn(turn: FormTurn, index: number): void {
    if (this.contents.length > 0) {
      this.#losses.grave(`turn ${index} (${turn.role})`, "this API has instructions before the conversation alone");
    }
    for (const [at, part] of turn.parts.entries()) {
      const path = pathOf(index, at, part.kind);
      if (part.kind === "text") this.#losses.cache(path, part.cache);
      if (part.kind === "text" && part.text !== "") this.system.push({ text: part.text });
      else if (part.kind !== "text") this.#losses.grave(path, "this API takes text alone in instructions");
    }
  }

  #part(part: FormPart, path: string): readonly JsonObject[] {
    if ("cache" in part) this.#losses.cache(path, part.cache);
    switch (part.kind) {
      case "text":
        return part.text === "" ? [] : [{ text: part.text }];
      case "refusal":
        this.#losses.hint(path, "this API does not mark a refusal; it is sent as text");
        return part.text === "" ? [] : [{ text: part.text }];
      case "reasoning":
        return this.#thought(part, path);
      case "image":
        if (part.detail !== null && part.detail !== "auto") {
          this.#losses.hint(path, "this API sets no resolution for one image");
        }
        return this.#media(part.source, path);
      case "audio":
        return this.#media(part.source, path);
      case "document":
        if (part.source.kind === "text") return [{ text: part.source.text }];
        return this.#media(part.source, path);
      case "tool-call":
        return this.#call(part, path);
      case "tool-result":
        return this.#result(part, path);
    }
  }

  /** A thought goes back with its signature or not at all: without one it is a summary that the model did not read. */
  #thought({ text, signature }: PartOf<"reasoning">, path: string): readonly JsonObject[] {
    const own = signature === null ? null : ownSignature(signature);
    if (own !== null) return [{ text, thought: true, thoughtSignature: own }];
    this.#losses.hint(path, "this API takes back only thoughts that it signed itself");
    return [];
  }

  #call({ id, name, argumentsJson, signature }: PartOf<"tool-call">, path: string): readonly JsonObject[] {
    this.#names.set(id, name);
    const args = argumentsJson.trim() === "" ? {} : objectOf(jsonOf(argumentsJson));
    if (args === null) this.#losses.grave(path, "its arguments are no JSON object, which this API wants");
    const thoughtSignature = signature === undefined ? null : ownSignature(signature);
    return [compact({ functionCall: { id, name, args: args ?? {} }, thoughtSignature })];
  }

  #result({ callId, content, isError }: PartOf<"tool-result">, path: string): readonly JsonObject[] {
    const name = this.#names.get(callId);
    if (name === undefined) {
      this.#losses.grave(path, "no call before it has its id, so that its function's name is not known");
      return [];
    }
    const text = textOfParts(content);
    const shown = content.flatMap((part): readonly JsonObject[] => {
      if (part.kind === "image") return this.#media(part.source, path);
      if (part.kind !== "document") return [];
      return part.source.kind === "text" ? [] : this.#media(part.source, path);
    });
    const written = content.flatMap((part) =>
      part.kind === "document" && part.source.kind === "text" ? [part.source.text] : [],
    );
    const said = [text, ...written].filter((each) => each !== "").join("\n");
    const response = isError ? { error: said } : { output: said };
    return [{ functionResponse: compact({ id: callId, name, response, parts: shown.length === 0 ? null : shown }) }];
  }

  #media(source: MediaSource, path: string): readonly JsonObject[] {
    if (source.kind === "data") return [{ inlineData: { mimeType: source.mediaType, data: source.base64 } }];
    const uri = source.kind === "url" ? source.url : source.id;
    if (!/^(?:https?|gs):\/\//.test(uri)) {
      this.#losses.grave(path, "this API finds files by the URLs that it gave them, and this is none");
      return [];
    }
    const ending = /\.([a-z0-9]+)(?:[?#].*)?$/i.exec(uri)?.[1]?.toLowerCase() ?? "";
    return [{ fileData: compact({ fileUri: uri, mimeType: Object.hasOwn(TYPES, ending) ? TYPES[ending] : null }) }];
  }
}

function signFirstCall(parts: JsonObject[]): void {
  const at = parts.findIndex((part) => "functionCall" in part);
  const part = parts[at];
  if (part !== undefined && !("thoughtSignature" in part)) parts[at] = { ...part, thoughtSignature: NO_SIGNATURE };
}
