import type { Usage } from "../../base/job.ts";
import type { AnswerEvent, FormUsage, StopReason } from "./answer.ts";

/** OpenAI's words for why an answer ended, which receipts and logs use. */
export const FINISH_REASONS: Readonly<Record<StopReason, string>> = {
  end: "stop",
  "stop-sequence": "stop",
  length: "length",
  "tool-calls": "tool_calls",
  "content-filter": "content_filter",
  refusal: "refusal",
  pause: "pause",
};

/** Meters an answer from its events. Owned by one reading. */
export class FormMeter {
  hasContent = false;
  text = "";
  pieces = 0;
  reported: Usage | null = null;
  finishReason: string | null = null;

  take(event: AnswerEvent): void {
    switch (event.kind) {
      case "part":
        // A call's name is text that the model made; an empty part is no content yet.
        if (event.head.kind === "tool-call") this.#add(event.head.name);
        else if (event.head.kind === "encrypted-reasoning") this.hasContent = true;
        return;
      case "text":
        return this.#add(event.text);
      case "stop":
        this.hasContent = true;
        this.finishReason = FINISH_REASONS[event.reason];
        return;
      case "usage":
        this.reported = usageOf(event.usage);
        return;
      default:
    }
  }

  #add(text: string): void {
    this.hasContent = true;
    this.text += text;
    this.pieces += 1;
  }
}

/** The form's usage as the kernel's, or null when it says nothing. */
function usageOf(usage: FormUsage): Usage | null {
  const { inputTokens, outputTokens } = usage;
  if (inputTokens === null && outputTokens === null) return null;
  return { ...usage, method: "provider_reported" };
}
