import type { AnswerPart, AnswerPartHead, Citation } from "../form/answer.ts";
import type { PrintContext } from "../form/shape.ts";
import { compact, isObject, type JsonObject } from "../json.ts";

const PREFIXES: Readonly<Record<AnswerPartHead["kind"], string>> = {
  text: "msg",
  refusal: "msg",
  "tool-call": "fc",
  reasoning: "rs",
  "encrypted-reasoning": "rs",
};

/** The id of an item of a response's output: its kind, the request, and its place. */
export function itemId(kind: AnswerPartHead["kind"], context: PrintContext, outputIndex: number): string {
  return `${PREFIXES[kind]}_${context.requestId.replaceAll("-", "")}${outputIndex}`;
}

const OWN_ITEM = /^(?:msg|fc|rs)_([0-9a-f]{32})\d+$/;

/** The id of the response that an item of `itemId` is of; null for ids that others made. */
export function responseOfItem(id: string): string | null {
  const match = OWN_ITEM.exec(id);
  return match === null ? null : `resp_${match[1]}`;
}

/** An annotation of a text; citations without a URL have no place in this shape. */
export function printCitation({ url, title, start, end }: Citation): readonly JsonObject[] {
  if (url === null) return [];
  return [{ type: "url_citation", url, title: title ?? "", start_index: start ?? 0, end_index: end ?? 0 }];
}

/** Whether thoughts are told as a summary: where the client asked for one. */
export function tellsSummary(context: PrintContext): boolean {
  const reasoning = isObject(context.asked) ? context.asked["reasoning"] : null;
  return isObject(reasoning) && typeof reasoning["summary"] === "string";
}

/** The content part of a text or a refusal. */
export function printContent(
  kind: "text" | "refusal",
  text: string,
  annotations: readonly JsonObject[] = [],
): JsonObject {
  return kind === "text"
    ? { type: "output_text", text, annotations, logprobs: [] }
    : { type: "refusal", refusal: text };
}

/** One whole item of the output. */
export function printItem(part: AnswerPart, context: PrintContext, outputIndex: number): JsonObject {
  const { head, text, signature } = part;
  const id = itemId(head.kind, context, outputIndex);
  if (head.kind === "tool-call") {
    return { type: "function_call", id, call_id: head.id, name: head.name, arguments: text, status: "completed" };
  }
  if (head.kind === "text" || head.kind === "refusal") {
    const content = [printContent(head.kind, text, part.citations.flatMap(printCitation))];
    return {
      type: "message",
      id,
      role: "assistant",
      status: "completed",
      content,
    };
  }
  const encrypted = head.kind === "encrypted-reasoning" ? head.data : signature;
  const asSummary = tellsSummary(context);
  return {
    type: "reasoning",
    id,
    summary: asSummary && text !== "" ? [{ type: "summary_text", text }] : [],
    ...(asSummary || text === "" ? {} : { content: [{ type: "reasoning_text", text }] }),
    ...compact({ encrypted_content: encrypted }),
  };
}
