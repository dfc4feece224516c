import {
  type AnswerEvent,
  type AnswerPart,
  type Citation,
  type FormAnswer,
  type FormUsage,
  type StopReason,
  type TokenLogprob,
} from "../form/answer.ts";
import type { AnswerPrinter, PrintContext } from "../form/shape.ts";
import { compact, type JsonObject } from "../json.ts";
import { printSse } from "../sse.ts";

/** OpenAI has no word for a provider's pause; its client sees an answer that ended. */
const FINISH: Readonly<Record<StopReason, string>> = {
  end: "stop",
  "stop-sequence": "stop",
  length: "length",
  "tool-calls": "tool_calls",
  "content-filter": "content_filter",
  refusal: "content_filter",
  pause: "stop",
};

/** A whole answer as a chat completion. Signatures, encrypted thoughts and citations without a URL have no place in it. */
export function printChatAnswer(answer: FormAnswer, context: PrintContext): JsonObject {
  const texts = answer.parts.filter(({ head }) => head.kind === "text");
  const join = (kind: AnswerPart["head"]["kind"]): string | null => {
    const parts = answer.parts.filter(({ head }) => head.kind === kind);
    return parts.length === 0 ? null : parts.map(({ text }) => text).join("");
  };
  const calls = answer.parts.flatMap(({ head, text, signature }) =>
    head.kind === "tool-call"
      ? [{ id: head.id, type: "function", function: { name: head.name, arguments: text }, ...printProof(signature) }]
      : [],
  );
  const annotations = texts.flatMap(({ citations }) => citations.flatMap(printCitation));
  const tokens = texts.flatMap(({ logprobs }) => logprobs ?? []);
  const message = {
    role: "assistant",
    content: join("text"),
    refusal: join("refusal"),
    ...compact({
      reasoning_content: join("reasoning"),
      annotations: annotations.length === 0 ? null : annotations,
      tool_calls: calls.length === 0 ? null : calls,
    }),
  };
  const logprobs = tokens.length === 0 ? null : { content: tokens.map(printToken), refusal: null };
  return {
    ...headOf("chat.completion", answer, context),
    choices: [{ index: 0, message, logprobs, finish_reason: FINISH[answer.stop.reason] }],
    ...(answer.usage === null ? {} : { usage: printUsage(answer.usage) }),
  };
}

function headOf(
  object: string,
  of: { readonly id: string | null; readonly model: string | null },
  context: PrintContext,
): JsonObject {
  const id = of.id ?? `chatcmpl-${context.requestId}`;
  return { id, object, created: context.createdSeconds, model: of.model ?? context.model };
}

/** The proof of a call, where Google's own API in this shape has it; who sends the call back as it came sends it along. */
function printProof(signature: string | null): JsonObject {
  return signature === null ? {} : { extra_content: { google: { thought_signature: signature } } };
}

function printUsage(usage: FormUsage): JsonObject {
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = usage;
  return compact({
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens === null || outputTokens === null ? null : inputTokens + outputTokens,
    prompt_tokens_details: cachedInputTokens === null ? null : { cached_tokens: cachedInputTokens },
    completion_tokens_details: reasoningTokens === null ? null : { reasoning_tokens: reasoningTokens },
  });
}

function printCitation({ url, title, start, end }: Citation): readonly JsonObject[] {
  if (url === null) return [];
  return [{ type: "url_citation", url_citation: compact({ url, title, start_index: start, end_index: end }) }];
}

function printToken({ token, bytes, logprob, top }: TokenLogprob): JsonObject {
  return { token, logprob, bytes, top_logprobs: top.map((other) => ({ ...other })) };
}

/** Prints an answer as chunks of a chat completion. Owned by one attempt. */
export class ChatPrinter implements AnswerPrinter {
  readonly #context: PrintContext;
  #head: JsonObject;
  #calls = 0;
  /** What each part is; a call by its number among the calls. */
  readonly #parts = new Map<number, "text" | "refusal" | "reasoning" | "hidden" | number>();
  /** Log probabilities that go out with the text that they are of. */
  #tokens: readonly TokenLogprob[] = [];
  #usage: FormUsage | null = null;

  constructor(context: PrintContext) {
    this.#context = context;
    this.#head = headOf("chat.completion.chunk", { id: null, model: null }, context);
  }

  push(event: AnswerEvent): string {
    switch (event.kind) {
      case "start":
        this.#head = headOf("chat.completion.chunk", event, this.#context);
        return this.#chunk({ role: "assistant", content: "" });
      case "part":
        return this.#begin(event);
      case "text":
        return this.#text(event.index, event.text);
      case "signature":
        return this.#proof(event.index, event.signature);
      case "logprobs":
        this.#tokens = [...this.#tokens, ...event.tokens];
        return "";
      case "citation": {
        const annotations = printCitation(event.citation);
        return annotations.length === 0 ? "" : this.#chunk({ annotations });
      }
      case "part-end":
        return this.#tokens.length === 0 ? "" : this.#chunk({ content: "" });
      case "stop":
        return this.#chunk({}, FINISH[event.reason]);
      case "usage":
        this.#usage = event.usage;
        return "";
      case "done":
        return `${this.#usageChunk()}data: [DONE]\n\n`;
      default:
        return "";
    }
  }

  #begin({ index, head }: Extract<AnswerEvent, { readonly kind: "part" }>): string {
    if (head.kind !== "tool-call") {
      this.#parts.set(index, head.kind === "encrypted-reasoning" ? "hidden" : head.kind);
      return "";
    }
    const call = this.#calls;
    this.#calls += 1;
    this.#parts.set(index, call);
    const begun = { index: call, id: head.id, type: "function", function: { name: head.name, arguments: "" } };
    return this.#chunk({ tool_calls: [begun] });
  }

  #text(index: number, text: string): string {
    const part = this.#parts.get(index) ?? "text";
    if (part === "hidden") return "";
    if (typeof part === "number") return this.#chunk({ tool_calls: [{ index: part, function: { arguments: text } }] });
    return this.#chunk({ [part === "text" ? "content" : part === "refusal" ? "refusal" : "reasoning_content"]: text });
  }

  #proof(index: number, signature: string): string {
    const part = this.#parts.get(index);
    return typeof part === "number" ? this.#chunk({ tool_calls: [{ index: part, ...printProof(signature) }] }) : "";
  }

  #chunk(delta: JsonObject, finishReason: string | null = null): string {
    const tokens = this.#tokens;
    this.#tokens = [];
    const logprobs = tokens.length === 0 ? null : { content: tokens.map(printToken), refusal: null };
    return this.#print({ choices: [{ index: 0, delta, logprobs, finish_reason: finishReason }] });
  }

  #usageChunk(): string {
    if (!this.#context.wantsUsage || this.#usage === null) return "";
    return this.#print({ choices: [], usage: printUsage(this.#usage) });
  }

  #print(members: JsonObject): string {
    return printSse({ ...this.#head, ...members });
  }
}
