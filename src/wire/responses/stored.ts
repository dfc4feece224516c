import { editMembers } from "../edit.ts";
import { arrayOf, isObject, type JsonObject, textOf } from "../json.ts";
import { jsonOf } from "../reading.ts";
import { sseData, SseSplitter } from "../sse.ts";

/** A response that was kept, and all of what it answered: the conversation so far. */
export interface StoredResponse {
  readonly response: JsonObject;
  /** Items, those of earlier responses that it goes on with first. */
  readonly input: readonly unknown[];
}

/** The items of a request's `input`; a text is a message of the user's. */
export function inputItems(input: unknown): readonly unknown[] {
  if (typeof input !== "string") return arrayOf(input);
  return [{ type: "message", role: "user", content: [{ type: "input_text", text: input }] }];
}

/** What comes before a request that goes on with this response. */
export function conversationOf({ response, input }: StoredResponse): readonly unknown[] {
  return [...input, ...arrayOf(response["output"])];
}

/** A request's body with this `input`, which holds what `previous_response_id` stood for. Its other bytes stay as they are. */
export function withInput(body: Buffer, items: readonly unknown[], goesOn: boolean): Buffer {
  const input = { name: "input", json: () => JSON.stringify(items) };
  return editMembers(body, goesOn ? [input, { name: "previous_response_id", json: () => "null" }] : [input]);
}

/** The id that an item refers to an earlier answer's item by, or null when it is whole. */
export function referenceOf(item: unknown): string | null {
  return isObject(item) && item["type"] === "item_reference" ? textOf(item["id"]) : null;
}

/** The input of a response as it is listed: every item with an id, and a message's text as a part. */
export function listedItems({ response, input }: StoredResponse): readonly JsonObject[] {
  const tail = (textOf(response["id"]) ?? "").replace(/^resp_/, "");
  return input.filter(isObject).map((item, index) => {
    const type = textOf(item["type"]) ?? "message";
    const id = textOf(item["id"]) ?? `${type === "message" ? "msg" : "item"}_${tail}_${index}`;
    const { content } = item;
    if (type !== "message" || typeof content !== "string") return { ...item, id, type };
    const kind = item["role"] === "assistant" ? "output_text" : "input_text";
    return { ...item, id, type, content: [{ type: kind, text: content }] };
  });
}

// In a text that an event tells of, the quotes would be escaped.
const ENDING = /"type":\s*"response\.(?:completed|incomplete|failed)"/;

/** Finds the whole response in an answer's bytes as they go to the client, streamed or not. Owned by one answer. */
export class FinalResponse {
  readonly #splitter: SseSplitter | null;
  #parts: Buffer[] = [];
  #last: string | null = null;

  constructor(isStream: boolean) {
    this.#splitter = isStream ? new SseSplitter() : null;
  }

  /** Takes bytes; of a stream only the last event is held. */
  add(chunk: Buffer): void {
    if (this.#splitter === null) {
      this.#parts.push(chunk);
      return;
    }
    const { run, ends } = this.#splitter.push(chunk);
    let start = 0;
    for (const end of ends) {
      const data = sseData(run, start, end);
      if (data !== null && ENDING.test(data)) this.#last = data;
      start = end;
    }
  }

  /** The response and the length of its JSON in bytes, or null when the bytes hold none. */
  read(): { readonly response: JsonObject; readonly bytes: number } | null {
    const text = this.#splitter === null ? Buffer.concat(this.#parts).toString("utf8") : this.#last;
    const value = text === null ? null : jsonOf(text);
    const response = this.#splitter !== null && isObject(value) ? value["response"] : value;
    if (!isObject(response) || response["object"] !== "response") return null;
    return { response, bytes: Buffer.byteLength(text ?? "") };
  }

  /** Lets go of what it holds. */
  drop(): void {
    this.#parts = [];
    this.#last = null;
  }
}
