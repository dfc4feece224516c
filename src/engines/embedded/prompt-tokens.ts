/** From a rendered chat to tokens: only what the template wrote may become control tokens. */
import type { LlamaModel, Token } from "node-llama-cpp";
import { type ControlTokens, controlsMixed } from "./control-tokens.ts";
import type { RenderedPrompt } from "./template-marks.ts";

/**
 * The tokens of a chat. Where callers wrote no control token's text it is tokenized as a whole; else the stretches with such text
 * are tokenized as plain text, each from one of the template's control tokens to the next. Throws `ApiError` 400 if there
 * would be a control token that the template did not write.
 */
export function chatTokens(
  model: Pick<LlamaModel, "tokenize">,
  prompt: RenderedPrompt,
  controls: ControlTokens,
): Token[] {
  const { text } = prompt;
  const tokens: Token[] = [];
  let begun = 0;
  let at = 0;
  for (const { start, end } of [...prompt.controls, { start: text.length, end: text.length }]) {
    const between = text.slice(at, start);
    if (controls.find(between).length > 0) {
      tokens.push(...model.tokenize(text.slice(begun, at), true), ...model.tokenize(between, false));
      begun = start;
    }
    at = end;
  }
  tokens.push(...model.tokenize(text.slice(begun), true));
  const written = prompt.controls.map(({ start, end }) => controls.tokenOf(text.slice(start, end)));
  let next = 0;
  for (const token of tokens) {
    if (!controls.isControl(token)) continue;
    // Some that the template wrote may not have become tokens; none may have come that it did not write.
    const place = written.indexOf(token, next);

    if (place < 0) throw controlsMixed();
    next = place + 1;
  }
  return tokens;
}
