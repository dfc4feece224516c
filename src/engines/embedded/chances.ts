/** How likely the model thought each token, before anything that a request asks of the drawing. */
import type { LlamaContext, LlamaModel, Token } from "node-llama-cpp";
import { assert } from "../../base/assert.ts";

/** One token that could stand at a place, with the natural logarithm of its probability. */
export type Candidate = { readonly token: Token; readonly logprob: number };

/** The token that was drawn, and the likeliest ones in its place. */
export type TokenChance = Candidate & { readonly top: readonly Candidate[] };

/** The least that is told, as OpenAI does: JSON has no word for the logarithm of nothing. */
const LOGPROB_MIN = -9999;

/** What node-llama-cpp takes for "no token could be drawn". */
const NONE = -1 as Token;

type Drawn = [token: Token, probabilities: (Token | number)[] | undefined, confidence: number | undefined];
type Sampler = { applyConfig(config: object): void };
/** The parts of node-llama-cpp's own context that are used here; its version is pinned. */
type NativeContext = {
  sampleToken(logitIndex: number, sampler: Sampler): Promise<Token>;
  sampleToken(logitIndex: number, sampler: Sampler, probabilities: boolean, confidence?: boolean): Promise<Drawn>;
};
type NativeModel = {
  readonly _model: object;
  readonly _llama: { readonly _bindings: { readonly AddonSampler: new (of: object) => Sampler } };
};

/**
 * Mends two things in how `context` draws tokens.
 *
 * By itself node-llama-cpp tells the probabilities that are left after temperature, cuts, penalties and grammar, which depend on
 * the request; and it draws otherwise under a grammar when it is asked for them. Here the same outputs of the model are read
 * twice: once with nothing applied, then drawn from as in any other request, so that asking never changes a text.
 *
 * And where no token fits a grammar, it leaves the error to nobody, which ends the process. Here it is the answer -1, which it
 * reports to the request as an error.
 */
export function mendSampling(context: LlamaContext, model: LlamaModel): void {
  const { _ctx: native } = context as unknown as { _ctx: NativeContext };
  const { _model: nativeModel, _llama: llama } = model as unknown as NativeModel;
  const { _bindings: bindings } = llama;
  assert(typeof native.sampleToken === "function", "this node-llama-cpp draws tokens in a way that is not known here");
  const sample = native.sampleToken.bind(native) as NativeContext["sampleToken"];
  const plain = new bindings.AddonSampler(nativeModel);
  plain.applyConfig({});
  const drawn = async (logitIndex: number, sampler: Sampler): Promise<Token> => {
    try {
      return await sample(logitIndex, sampler);
    } catch (error) {
      console.error(error);
      return NONE;
    }
  };
  const twice = async (logitIndex: number, sampler: Sampler, probabilities?: boolean): Promise<Token | Drawn> => {
    if (probabilities !== true) return drawn(logitIndex, sampler);
    const [, own] = await sample(logitIndex, plain, true);
    return [await drawn(logitIndex, sampler), own, undefined];
  };
  // The native object's methods cannot be assigned, since their prototype is read-only.
  Object.defineProperty(native, "sampleToken", { value: twice });
}

/** The chance of `token` and of the `top` likeliest, of probabilities with the likeliest first. */
export function chanceOf(
  token: Token,
  probabilities: ReadonlyMap<Token, number> | undefined,
  top: number,
): TokenChance {
  assert(probabilities !== undefined, "probabilities were asked for");
  const likeliest: Candidate[] = [];
  for (const [candidate, probability] of probabilities) {
    if (likeliest.length === top) break;
    likeliest.push({ token: candidate, logprob: logarithm(probability) });
  }
  return { token, logprob: logarithm(probabilities.get(token) ?? 0), top: likeliest };
}

function logarithm(probability: number): number {
  return Math.max(LOGPROB_MIN, Math.log(probability));
}
