/** Renders a chat with the template that the model's own file carries. */
import { Template } from "@huggingface/jinja";
import { type ControlTokens, controlsMixed } from "./control-tokens.ts";
import { ApiError } from "./errors.ts";
import { type Fields, isFields } from "./fields.ts";
import type { ChatMessage } from "./request.ts";
import { MarkedTemplate } from "./marked-template.ts";
import type { RenderedPrompt } from "./template-marks.ts";

/**
 * Renders messages, and the definitions of tools, to the prompt that the assistant's next turn continues. Throws `ApiError` 400
 * if the template refuses, or if what callers wrote cannot be told from the template's control tokens.
 */
export type ChatTemplate = (messages: readonly ChatMessage[], tools: readonly Fields[]) => RenderedPrompt;

/** What a template is compiled for; `begin` and `end` are the texts of the model's tokens. */
export type TemplateTokens = {
  readonly begin: string | null;
  readonly end: string | null;
  readonly controls: ControlTokens;
};

/**
 * Compiles `source`, a Jinja template in the conventions of Hugging Face's `apply_chat_template`. Throws the template engine's
 * error if it cannot be parsed.
 */
export function compileChatTemplate(source: string, { begin, end, controls }: TemplateTokens): ChatTemplate {
  const plain = new Template(source);
  const marked = new MarkedTemplate(source, controls);
  const tokens = { bos_token: begin ?? "", eos_token: end ?? "" };
  return (givenMessages, givenTools) => {
    const messages = wellFormed(givenMessages) as readonly ChatMessage[];
    const tools = wellFormed(givenTools) as readonly Fields[];
    const chat = {
      messages: messages.map((message) => ({ ...message })),
      // Templates ask whether there are tools, and an empty list would be there.
      ...(tools.length === 0 ? {} : { tools }),
      add_generation_prompt: true,
    };
    const text = explained(() => plain.render({ ...chat, ...tokens }));
    const prompt = marked.render({ chat, tokens }, new Set(messages.map(({ role }) => role)));
    if (prompt.text === text) return prompt;
    return unmarked(text, { prompt, controls, given: [messages.map(({ role: _role, ...rest }) => rest), tools] });
  };
}

function explained<T>(render: () => T): T {
  try {
    return render();
  } catch (error) {
    // Templates refuse in their own words, for example when roles do not alternate; those words are for the caller.
    const message = `The model's chat template refused the messages: ${error instanceof Error ? error.message : String(error)}`;
    throw new ApiError(400, message, { param: "messages", code: "invalid_value" });
  }
}

type Unmarked = { readonly prompt: RenderedPrompt; readonly controls: ControlTokens; readonly given: unknown };

/**
 * The prompt of a template that works on its own texts in a way that marks do not survive. It is taken only where nobody but the
 * template wrote a control token's text and the template wrote the same ones with marks.
 */
function unmarked(text: string, { prompt, controls, given }: Unmarked): RenderedPrompt {
  const found = controls.find(text);
  const isSame =
    found.length === prompt.controls.length &&
    found.every(({ start, end }, index) => {
      const range = prompt.controls[index];
      return range !== undefined && text.slice(start, end) === prompt.text.slice(range.start, range.end);
    });
  if (isSame && !textsOf(given).some((each) => controls.find(each).length > 0)) return { text, controls: found };
  throw controlsMixed();
}

/** A JSON value whose texts are well-formed Unicode, as they are for every tokenizer. */
function wellFormed(value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  if (!isFields(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key.toWellFormed(), wellFormed(member)]));
}

/** All texts in a JSON value, names of members among them. */
function textsOf(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (!isFields(value)) return [];
  return Object.entries(value).flatMap(([key, member]) => [key, ...textsOf(member)]);
}
