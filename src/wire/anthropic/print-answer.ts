import type { AnswerEvent, AnswerPart, AnswerPartHead, Citation, FormAnswer, FormUsage } from "../form/answer.ts";
import type { AnswerPrinter, PrintContext } from "../form/shape.ts";
import type { JsonObject } from "../json.ts";
import { jsonOf } from "../reading.ts";
import { printSse } from "../sse.ts";
import { printRedacted } from "./encrypted.ts";
import { printUsage, STOP_WORDS } from "./usage.ts";

/** A whole message. Log probabilities have no place in it, and of citations only Anthropic's own. */
export function printAnswer(answer: FormAnswer, context: PrintContext): JsonObject {
  const hasRefused = answer.parts.some(({ head }) => head.kind === "refusal");
  return {
    ...headOf(answer, context),
    content: answer.parts.map(printPart),
    ...printStop(answer.stop, hasRefused),
    usage: { ...printUsage(answer.usage), ...UNSAID_USAGE },
  };
}

/** Members of a message's usage that only Anthropic itself can fill. */
const UNSAID_USAGE = { cache_creation: null, inference_geo: null, service_tier: null, speed: null } as const;

function headOf(of: { readonly model: string | null }, { requestId, model }: PrintContext): JsonObject {
  return {
    id: `msg_${requestId.replaceAll("-", "")}`,
    type: "message",
    role: "assistant",
    model: of.model ?? model,
    container: null,
    diagnostics: null,
  };
}

/** A refusal is prose here, and its end says what it was. */
function printStop({ reason, stopSequence }: FormAnswer["stop"], hasRefused: boolean): JsonObject {
  const word = reason === "end" && hasRefused ? STOP_WORDS.refusal : STOP_WORDS[reason];
  return { stop_reason: word, stop_sequence: stopSequence, stop_details: null };
}

function printPart({ head, text, signature, citations }: AnswerPart): JsonObject {
  const block = emptyBlock(head);
  switch (head.kind) {
    case "text":
    case "refusal": {
      const own = citations.flatMap(printCitation);
      return { ...block, text, citations: own.length === 0 ? null : own };
    }
    case "reasoning":
      return { ...block, thinking: text, signature: signature ?? "" };
    case "encrypted-reasoning":
      return block;
    case "tool-call":
      return { ...block, input: inputOf(text) };
  }
}

/** A block as it begins in a stream. */
function emptyBlock(head: AnswerPartHead): JsonObject {
  switch (head.kind) {
    case "text":
    case "refusal":
      return { type: "text", text: "", citations: null };
    case "reasoning":
      return { type: "thinking", thinking: "", signature: "" };
    case "encrypted-reasoning":
      return { type: "redacted_thinking", data: printRedacted(head.data) };
    case "tool-call":
      return { type: "tool_use", id: head.id, name: head.name, input: {}, caller: { type: "direct" } };
  }
}

/** Arguments as a value; a text that is no JSON stays one, so that the client sees what the model wrote. */
function inputOf(text: string): unknown {
  return text.trim() === "" ? {} : (jsonOf(text) ?? text);
}

/** Types of citations that an Anthropic client knows; another API's have nowhere to stand. */
function printCitation({ raw, url, title, citedText }: Citation): readonly unknown[] {
  if (typeof raw === "object" && raw !== null && "cited_text" in raw) return [raw];
  if (url === null) return [];
  const of = { url, title, cited_text: citedText ?? "", encrypted_index: "" };
  return [{ type: "web_search_result_location", ...of }];
}

type PartEvent = Extract<AnswerEvent, { readonly index: number }>;

/**
 * Prints an answer as the events of a streamed message. Blocks follow one another there, so what comes for a part while an
 * earlier one is open waits for that one's end. Owned by one attempt.
 */
export class MessagePrinter implements AnswerPrinter {
  readonly #context: PrintContext;
  /** The first part that has not ended. */
  #current = 0;
  readonly #waiting = new Map<number, PartEvent[]>();
  readonly #kinds = new Map<number, AnswerPartHead["kind"]>();
  #stop: FormAnswer["stop"] = { reason: "end", stopSequence: null };
  #usage: FormUsage | null = null;
  #hasRefused = false;

  constructor(context: PrintContext) {
    this.#context = context;
  }

  push(event: AnswerEvent): string {
    switch (event.kind) {
      case "start":
        return this.#start(event);
      case "stop":
        this.#stop = event;
        return "";
      case "usage":
        this.#usage = event.usage;
        return "";
      case "ping":
        return printEvent("ping", {});
      case "done":
        return this.#end();
      case "failed":
        return "";
      default:
        return this.#part(event);
    }
  }

  /** What the upstream tells at the end only stands as 0 here, as the API wants numbers; `message_delta` has the counts. */
  #start(event: Extract<AnswerEvent, { readonly kind: "start" }>): string {
    const usage = { ...printUsage(this.#usage), input_tokens: 0, output_tokens: 0, ...UNSAID_USAGE };
    const stop = { stop_reason: null, stop_sequence: null, stop_details: null };
    return printEvent("message_start", { message: { ...headOf(event, this.#context), content: [], ...stop, usage } });
  }

  #part(event: PartEvent): string {
    if (event.index !== this.#current) {
      const waiting = this.#waiting.get(event.index) ?? [];
      waiting.push(event);
      this.#waiting.set(event.index, waiting);
      return "";
    }
    const text = this.#print(event);
    if (event.kind !== "part-end") return text;
    this.#current += 1;
    const next = this.#waiting.get(this.#current) ?? [];
    this.#waiting.delete(this.#current);
    return text + next.map((each) => this.#part(each)).join("");
  }

  #print(event: PartEvent): string {
    const { index } = event;
    const delta = (members: JsonObject): string => printEvent("content_block_delta", { index, delta: members });
    switch (event.kind) {
      case "part":
        this.#kinds.set(index, event.head.kind);
        this.#hasRefused ||= event.head.kind === "refusal";
        return printEvent("content_block_start", { index, content_block: emptyBlock(event.head) });
      case "text": {
        const kind = this.#kinds.get(index);
        if (kind === "tool-call") return delta({ type: "input_json_delta", partial_json: event.text });
        if (kind === "reasoning") return delta({ type: "thinking_delta", thinking: event.text });
        return delta({ type: "text_delta", text: event.text });
      }
      case "signature":
        // Other providers sign calls too, for which a block of a call has no place.
        if (this.#kinds.get(index) !== "reasoning") return "";
        return delta({ type: "signature_delta", signature: event.signature });
      case "citation":
        return printCitation(event.citation)
          .map((citation) => delta({ type: "citations_delta", citation }))
          .join("");
      case "part-end":
        return printEvent("content_block_stop", { index });
      case "logprobs":
        return "";
    }
  }

  #end(): string {
    const delta = { container: null, ...printStop(this.#stop, this.#hasRefused) };
    return printEvent("message_delta", { delta, usage: printUsage(this.#usage) }) + printEvent("message_stop", {});
  }
}

/** One server-sent event; its name is its type. */
export function printEvent(type: string, members: JsonObject): string {
  return printSse({ type, ...members }, type);
}
