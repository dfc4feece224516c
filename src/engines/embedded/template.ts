/** Renders a chat with the template that the model's own file carries. */
import { Template } from "@huggingface/jinja";
import { ApiError } from "./errors.ts";
import type { Fields } from "./fields.ts";
import type { ChatMessage } from "./request.ts";

/**
 * Renders messages, and the definitions of tools, to the prompt that the assistant's next turn continues. Throws `ApiError` 400
 * if the template refuses.
 */
export type ChatTemplate = (messages: readonly ChatMessage[], tools: readonly Fields[]) => string;

/**
 * Compiles `source`, a Jinja template in the conventions of Hugging Face's `apply_chat_template`. Throws the template engine's
 * error if it cannot be parsed.
 */
export function compileChatTemplate(
  source: string,
  tokens: { begin: string | null; end: string | null },
): ChatTemplate {
  const template = new Template(source);
  return (messages, tools) => {
    try {
      return template.render({
        messages: messages.map((message) => ({ ...message })),
        // Templates ask whether there are tools, and an empty list would be there.
        ...(tools.length === 0 ? {} : { tools }),
        add_generation_prompt: true,
        bos_token: tokens.begin ?? "",
        eos_token: tokens.end ?? "",
      });
    } catch (error) {
      // Templates refuse in their own words, for example when roles do not alternate; those words are for the caller.
      const message = `The model's chat template refused the messages: ${error instanceof Error ? error.message : String(error)}`;
      throw new ApiError(400, message, { param: "messages", code: "invalid_value" });
    }
  };
}
