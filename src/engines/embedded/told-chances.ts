/** Tokens' chances as OpenAI tells them. */
import type { LlamaModel, Token } from "node-llama-cpp";
import type { PlacedChance } from "./generate.ts";
import { REPLACEMENT } from "./text.ts";

/** A token in words. `bytes` is null where the token is a part of a character, which has no text of its own. */
export type ToldToken = { readonly token: string; readonly logprob: number; readonly bytes: readonly number[] | null };

/** The token at one place of the text, and the likeliest ones there. `start` is in UTF-16 code units of the answer. */
export type ToldChance = ToldToken & { readonly start: number; readonly top: readonly ToldToken[] };

/** Chances with the tokens' texts, control tokens included. */
export function tellChances(
  model: Pick<LlamaModel, "detokenize">,
  chances: readonly PlacedChance[],
): readonly ToldChance[] {
  const tell = (token: Token, logprob: number): ToldToken => {
    const text = model.detokenize([token], true);
    return { token: text, logprob, bytes: text.includes(REPLACEMENT) ? null : [...Buffer.from(text, "utf8")] };
  };
  return chances.map(({ token, logprob, top, start }) => ({
    ...tell(token, logprob),
    start,
    top: top.map((candidate) => tell(candidate.token, candidate.logprob)),
  }));
}

/** The `logprobs` of a chat's choice. */
export function chatLogprobs(chances: readonly ToldChance[]): object {
  const content = chances.map(({ start: _start, top, ...own }) => ({ ...own, top_logprobs: top }));
  return { content, refusal: null };
}

/** The `logprobs` of a completion's choice: parallel lists, in which the chosen token stands among the likeliest. */
export function completionLogprobs(chances: readonly ToldChance[]): object {
  return {
    tokens: chances.map(({ token }) => token),
    token_logprobs: chances.map(({ logprob }) => logprob),
    top_logprobs: chances.map((chance) =>
      Object.fromEntries([...chance.top, chance].map(({ token, logprob }) => [token, logprob])),
    ),
    text_offset: chances.map(({ start }) => start),
  };
}
