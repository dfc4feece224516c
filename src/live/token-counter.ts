import { createRequire } from "node:module";

/** Counts the tokens of a text; an estimate, since the model's own tokenizer may be another. */
export type CountTokens = (text: string) => number;

// Counting stops here and the rest is scaled: an estimate is not worth stopping the streams of others for.
const MAX_COUNTED_LENGTH = 200_000;
// The encoding splits at changes of kind (letters, spaces, signs) and takes time by the square of what lies between: one word
// of 200,000 letters would take half a minute. Longer runs are cut, at the price of about a token a cut.
const MAX_RUN_LENGTH = 256;
const LONG_RUN = new RegExp(`\\S{${MAX_RUN_LENGTH + 1}}|\\s{${MAX_RUN_LENGTH + 1}}`);

/**
 * A counter by OpenAI's o200k encoding. Its tables (about 70 MB) are loaded at the first count, which only upstreams that
 * report no usage cause.
 */
export function lazyTokenCounter(): CountTokens {
  let count: CountTokens | null = null;
  return (text) => {
    if (text === "") return 0;
    count ??= load();
    if (text.length <= MAX_COUNTED_LENGTH) return count(text);
    return Math.round((count(text.slice(0, MAX_COUNTED_LENGTH)) * text.length) / MAX_COUNTED_LENGTH);
  };
}

function load(): CountTokens {
  const require = createRequire(import.meta.url);
  const tokenizer = require("gpt-tokenizer/encoding/o200k_base") as {
    countTokens(text: string, options?: object): number;
  };
  // Special tokens in users' text are text here.
  const countPiece = (text: string): number => tokenizer.countTokens(text, { disallowedSpecial: new Set() });
  return (text) => {
    if (!LONG_RUN.test(text)) return countPiece(text);
    let tokens = 0;
    for (let at = 0; at < text.length; at += MAX_RUN_LENGTH) tokens += countPiece(text.slice(at, at + MAX_RUN_LENGTH));
    return tokens;
  };
}
