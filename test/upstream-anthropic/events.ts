/** What the fake says it used, in Anthropic's words: the input leaves out the cache. Unlike any count of the text itself. */
export const USAGE = {
  input_tokens: 1000,
  cache_creation_input_tokens: 200,
  cache_read_input_tokens: 34,
  output_tokens: 57,
  output_tokens_details: { thinking_tokens: 19 },
} as const;

/** A block of an answer as Anthropic tells it whole. */
export type Block = Readonly<Record<string, unknown>> & { readonly type: string };

/** How an answer ends. */
export interface Ending {
  readonly stop_reason: string;
  readonly stop_sequence: string | null;
}

/** An answer to tell, whole or as a stream. */
export interface Told {
  readonly content: readonly Block[];
  readonly ending: Ending;
}

/** A whole message. */
export function message(id: string, model: string, { content, ending }: Told): object {
  return { id, type: "message", role: "assistant", model, content, ...ending, usage: USAGE };
}

/** One event as server-sent bytes. */
export function sse(type: string, members: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;
}

/** The events of a streamed message; each text is cut in pieces of a few characters. */
export function* streamed(id: string, model: string, { content, ending }: Told): Generator<string> {
  const begun = { ...message(id, model, { content: [], ending: { stop_reason: "", stop_sequence: null } }) };
  const usage = { ...USAGE, output_tokens: 1 };
  yield sse("message_start", { message: { ...begun, stop_reason: null, usage } });
  yield sse("ping", {});
  for (const [index, block] of content.entries()) {
    const [empty, deltas] = pieces(block);
    yield sse("content_block_start", { index, content_block: empty });
    for (const delta of deltas) yield sse("content_block_delta", { index, delta });
    yield sse("content_block_stop", { index });
  }
  // The API leaves the input out of the last usage where it said it at first.
  const { output_tokens, output_tokens_details } = USAGE;
  yield sse("message_delta", { delta: ending, usage: { output_tokens, output_tokens_details } });
  yield sse("message_stop", {});
}

/** A block as it begins, and the deltas that fill it. */
function pieces(block: Block): readonly [object, readonly object[]] {
  const cut = (name: string): readonly string[] => String(block[name]).match(/[^]{1,7}/gu) ?? [];
  switch (block.type) {
    case "text": {
      const citations = Array.isArray(block["citations"]) ? block["citations"] : [];
      const texts = cut("text").map((text) => ({ type: "text_delta", text }));
      const cited = citations.map((citation: unknown) => ({ type: "citations_delta", citation }));
      return [{ ...block, text: "", citations: null }, [...texts, ...cited]];
    }
    case "thinking": {
      const thoughts = cut("thinking").map((thinking) => ({ type: "thinking_delta", thinking }));
      const signed = { type: "signature_delta", signature: block["signature"] };
      return [{ ...block, thinking: "", signature: "" }, [...thoughts, signed]];
    }
    case "tool_use": {
      const json = JSON.stringify(block["input"]).match(/[^]{1,5}/gu) ?? [];
      const deltas = ["", ...json].map((partial) => ({ type: "input_json_delta", partial_json: partial }));
      return [{ ...block, input: {} }, deltas];
    }
    default:
      return [block, []];
  }
}
