import { present } from "../../base/assert.ts";
import type { AnswerEvent, AnswerPart, AnswerPartHead, FormUsage, StopReason } from "../form/answer.ts";
import type { AnswerPrinter, PrintContext } from "../form/shape.ts";
import type { JsonObject } from "../json.ts";
import { printSse } from "../sse.ts";
import { itemId, printCitation, printContent, printItem, tellsSummary } from "./item.ts";
import { incompleteBy, printResponse } from "./response.ts";

/** An item whose end has not come. */
interface OpenItem {
  readonly head: AnswerPartHead;
  /** Where it stands, as its events say. */
  readonly where: { readonly item_id: string; readonly output_index: number };
  text: string;
  signature: string | null;
  readonly annotations: JsonObject[];
  readonly citations: AnswerPart["citations"][number][];
}

/** Prints an answer as a response's events, each with its sequence number. Owned by one attempt. */
export class ResponsesPrinter implements AnswerPrinter {
  readonly #context: PrintContext;
  readonly #asSummary: boolean;
  #sequence = 0;
  #items = 0;
  readonly #open = new Map<number, OpenItem>();
  readonly #output: JsonObject[] = [];
  #reason: StopReason = "end";
  #usage: FormUsage | null = null;

  constructor(context: PrintContext) {
    this.#context = context;
    this.#asSummary = tellsSummary(context);
  }

  push(event: AnswerEvent): string {
    switch (event.kind) {
      case "start": {
        const response = printResponse(this.#context, null);
        return this.#say("response.created", { response }) + this.#say("response.in_progress", { response });
      }
      case "part":
        return this.#begin(event.index, event.head);
      case "text":
        return this.#text(this.#item(event.index), event.text);
      case "signature":
        this.#item(event.index).signature = event.signature;
        return "";
      case "citation":
        return this.#cite(this.#item(event.index), event.citation);
      case "part-end":
        return this.#end(event.index);
      case "stop":
        this.#reason = event.reason;
        return "";
      case "usage":
        this.#usage = event.usage;
        return "";
      case "done":
        return this.#last();
      default:
        return "";
    }
  }

  #item(index: number): OpenItem {
    return present(this.#open.get(index), "a part that is told of has begun");
  }

  #say(type: string, members: JsonObject): string {
    const text = printSse({ type, sequence_number: this.#sequence, ...members }, type);
    this.#sequence += 1;
    return text;
  }

  /** An item as it stands: whole, or as it begins. */
  #print(item: OpenItem): JsonObject {
    const { head, text, signature, citations } = item;
    return printItem({ head, text, signature, citations, logprobs: null }, this.#context, item.where.output_index);
  }

  #begin(index: number, head: AnswerPartHead): string {
    const outputIndex = this.#items;
    this.#items += 1;
    const item: OpenItem = {
      head,
      where: { item_id: itemId(head.kind, this.#context, outputIndex), output_index: outputIndex },
      text: "",
      signature: null,
      annotations: [],
      citations: [],
    };
    this.#open.set(index, item);
    const begun = { ...this.#print(item), ...this.#emptiness(head) };
    const added = this.#say("response.output_item.added", { output_index: item.where.output_index, item: begun });
    const { where } = item;
    if (head.kind === "text" || head.kind === "refusal") {
      return (
        added +
        this.#say("response.content_part.added", { ...where, content_index: 0, part: printContent(head.kind, "") })
      );
    }
    if (head.kind !== "reasoning") return added;
    return this.#asSummary
      ? added +
          this.#say("response.reasoning_summary_part.added", {
            ...where,
            summary_index: 0,
            part: { type: "summary_text", text: "" },
          })
      : added +
          this.#say("response.content_part.added", {
            ...where,
            content_index: 0,
            part: { type: "reasoning_text", text: "" },
          });
  }

  /** What an item shows of itself before it has anything. */
  #emptiness(head: AnswerPartHead): JsonObject {
    if (head.kind === "tool-call") return { status: "in_progress" };
    if (head.kind === "text" || head.kind === "refusal") return { status: "in_progress", content: [] };
    return {};
  }

  #text(item: OpenItem, delta: string): string {
    item.text += delta;
    const { where } = item;
    switch (item.head.kind) {
      case "text":
        return this.#say("response.output_text.delta", { ...where, content_index: 0, delta, logprobs: [] });
      case "refusal":
        return this.#say("response.refusal.delta", { ...where, content_index: 0, delta });
      case "tool-call":
        return this.#say("response.function_call_arguments.delta", { ...where, delta });
      case "reasoning":
        return this.#asSummary
          ? this.#say("response.reasoning_summary_text.delta", { ...where, summary_index: 0, delta })
          : this.#say("response.reasoning_text.delta", { ...where, content_index: 0, delta });
      default:
        return "";
    }
  }

  #cite(item: OpenItem, citation: OpenItem["citations"][number]): string {
    item.citations.push(citation);
    return printCitation(citation)
      .map((annotation) => {
        item.annotations.push(annotation);
        const annotation_index = item.annotations.length - 1;
        const where = { ...item.where, content_index: 0, annotation_index };
        return this.#say("response.output_text.annotation.added", { ...where, annotation });
      })
      .join("");
  }

  #end(index: number): string {
    const item = this.#item(index);
    const whole = this.#print(item);
    this.#output[item.where.output_index] = whole;
    this.#open.delete(index);
    // Each is numbered as it is printed, so the text's end comes first.
    const ended = this.#endText(item);
    return ended + this.#say("response.output_item.done", { output_index: item.where.output_index, item: whole });
  }

  #endText(item: OpenItem): string {
    const { head, text } = item;
    const { where } = item;
    if (head.kind === "tool-call") {
      return this.#say("response.function_call_arguments.done", { ...where, name: head.name, arguments: text });
    }
    if (head.kind === "text" || head.kind === "refusal") {
      const told = head.kind === "text" ? { text, logprobs: [] } : { refusal: text };
      const type = head.kind === "text" ? "response.output_text.done" : "response.refusal.done";
      const part = printContent(head.kind, text, item.annotations);
      return (
        this.#say(type, { ...where, content_index: 0, ...told }) +
        this.#say("response.content_part.done", { ...where, content_index: 0, part })
      );
    }
    if (head.kind !== "reasoning") return "";
    if (this.#asSummary) {
      const part = { type: "summary_text", text };
      return (
        this.#say("response.reasoning_summary_text.done", { ...where, summary_index: 0, text }) +
        this.#say("response.reasoning_summary_part.done", { ...where, summary_index: 0, part })
      );
    }
    const part = { type: "reasoning_text", text };
    return (
      this.#say("response.reasoning_text.done", { ...where, content_index: 0, text }) +
      this.#say("response.content_part.done", { ...where, content_index: 0, part })
    );
  }

  #last(): string {
    const ending = { reason: this.#reason, output: this.#output, usage: this.#usage };
    const response = printResponse(this.#context, ending);
    return this.#say(incompleteBy(this.#reason) === null ? "response.completed" : "response.incomplete", { response });
  }
}
