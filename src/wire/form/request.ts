/** The internal form of a conversation: what any client shape is read into and any backend's shape is printed from. */

/** Where bytes of an image, a sound or a document are. */
export type MediaSource =
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "data"; readonly mediaType: string; readonly base64: string }
  /** A file that the provider keeps; only that provider knows the id. */
  | { readonly kind: "file"; readonly id: string };

/** How long a provider may keep what stands up to here in its prompt cache; `default` is the provider's own time. */
export type CacheMark = "default" | "5m" | "1h";

/** One piece of a turn. `cache` asks the provider to cache everything up to and including it. */
export type FormPart =
  | { readonly kind: "text"; readonly text: string; readonly cache?: CacheMark }
  | { readonly kind: "refusal"; readonly text: string }
  /**
   * What a model thought. `signature` proves it to the provider that made it; `encrypted` is a thought in a form that only that
   * provider reads, and its text is empty then.
   */
  | {
      readonly kind: "reasoning";
      readonly text: string;
      readonly signature: string | null;
      readonly encrypted: string | null;
    }
  | { readonly kind: "image"; readonly source: MediaSource; readonly detail: string | null; readonly cache?: CacheMark }
  | { readonly kind: "audio"; readonly source: MediaSource; readonly format: string | null }
  | {
      readonly kind: "document";
      readonly source: MediaSource | { readonly kind: "text"; readonly text: string };
      readonly name: string | null;
      readonly cache?: CacheMark;
    }
  /** A call that the assistant made; `argumentsJson` is JSON text as the model wrote it, which may not parse. */
  | {
      readonly kind: "tool-call";
      readonly id: string;
      readonly name: string;
      readonly argumentsJson: string;
      /** Proof of the thought that led to the call, for the provider that made it; Gemini wants it back. */
      readonly signature?: string;
      readonly cache?: CacheMark;
    }
  /** What a call came to. Stands in a turn of the user. */
  | {
      readonly kind: "tool-result";
      readonly callId: string;
      /** Only text, images and documents. */
      readonly content: readonly FormPart[];
      readonly isError: boolean;
      readonly cache?: CacheMark;
    };

/** One message. Printers join neighbours of one role where their shape wants turns to alternate. */
export interface FormTurn {
  readonly role: "system" | "developer" | "user" | "assistant";
  /** The participant's name, or null. */
  readonly name: string | null;
  readonly parts: readonly FormPart[];
}

/** A function that the model may call. */
export interface FormTool {
  readonly name: string;
  readonly description: string | null;
  /** JSON Schema of its arguments, or null for none. */
  readonly parameters: Readonly<Record<string, unknown>> | null;
  /** Whether arguments must fit the schema exactly; null leaves it to the provider. */
  readonly strict: boolean | null;
  readonly cache?: CacheMark;
}

/** Whether and what the model must call. */
export type FormToolChoice =
  | { readonly kind: "auto" | "none" | "required" }
  | { readonly kind: "named"; readonly name: string };

/** What form the answer's text must have. */
export type FormFormat =
  | { readonly kind: "text" | "json" }
  | {
      readonly kind: "schema";
      readonly name: string;
      readonly description: string | null;
      readonly schema: Readonly<Record<string, unknown>>;
      readonly strict: boolean | null;
    };

/** How hard the model thinks before it answers; each null is the provider's default. */
export interface FormReasoning {
  /** False forbids it, where the provider can; true asks for it. */
  readonly enabled: boolean | null;
  /** OpenAI's words: `none`, `minimal`, `low`, `medium`, `high`, `xhigh`. */
  readonly effort: string | null;
  /** Most tokens for it. */
  readonly budgetTokens: number | null;
  /** OpenAI's `summary` of the Responses API, or null. */
  readonly summary: string | null;
}

/** Sampling; each null is the provider's default. */
export interface FormSampling {
  readonly temperature: number | null;
  readonly topP: number | null;
  readonly topK: number | null;
  readonly frequencyPenalty: number | null;
  readonly presencePenalty: number | null;
  readonly seed: number | null;
  readonly stop: readonly string[];
  readonly logitBias: Readonly<Record<string, number>> | null;
  /** Whether log probabilities are wanted, and of how many alternatives; null is no. */
  readonly topLogprobs: number | null;
}

/** One request, whatever its shape. System text that leads the conversation stands in turns of role `system` at its beginning. */
export interface FormRequest {
  readonly model: string;
  readonly turns: readonly FormTurn[];
  readonly tools: readonly FormTool[];
  /** Null is the provider's default: auto where there are tools. */
  readonly toolChoice: FormToolChoice | null;
  readonly parallelToolCalls: boolean | null;
  readonly format: FormFormat | null;
  readonly reasoning: FormReasoning | null;
  readonly sampling: FormSampling;
  readonly maxOutputTokens: number | null;
  readonly stream: boolean;
  /** The end user's opaque id, or null. */
  readonly user: string | null;
  readonly metadata: Readonly<Record<string, string>> | null;
  /**
   * Members that the form has no place for, by their path in the client's body, with their values. A printer takes those that its
   * shape has under the same name and meaning; the rest are losses.
   */
  readonly extras: ReadonlyMap<string, unknown>;
}

/** Nothing asked for. */
export const DEFAULT_SAMPLING: FormSampling = {
  temperature: null,
  topP: null,
  topK: null,
  frequencyPenalty: null,
  presencePenalty: null,
  seed: null,
  stop: [],
  logitBias: null,
  topLogprobs: null,
};

/** The text of parts, text pieces alone, one after the other. */
export function textOfParts(parts: readonly FormPart[]): string {
  return parts.map((part) => (part.kind === "text" ? part.text : "")).join("");
}
