import type { Endpoint } from "../../base/job.ts";

import { Chance } from "../../base/chance.ts";

/** The endpoints that the load generator can ask. */
export type BenchEndpoint = Extract<Endpoint, "chat" | "completions">;

/** A whole number drawn evenly from `low` to `high`. */
export interface TokenRange {
  readonly low: number;
  readonly high: number;
}

/** What each request asks for. */
export interface RequestPlan {
  readonly model: string;
  readonly endpoint: BenchEndpoint;
  readonly stream: boolean;
  readonly promptTokens: TokenRange;
  readonly outputTokens: TokenRange;
  /** How many of the prompt's first tokens are the same in every request. */
  readonly sharedPrefixTokens: number;
  /** The member that says the most output tokens: `max_tokens`, or what newer endpoints call it. */
  readonly outputMember: string;
  /** Members added to each body, none of which the bench writes itself. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly seed: string;
}

/** English words, each one token of OpenAI's o200k encoding when a space stands before it. */
const WORDS: readonly string[] =
  `the of and to in is that for it was on are as with his they at be this from have or by one had not but what all were when we
  there can an your which their said if do will each about how up out them then she many some so these would other into has
  more her two like him see time could no make than first been its who now people my made over did down only way find use may
  water long little very after words called just where most know get through back much before go good new write our me man too
  any day same right look think also around another came come work three word must because does part even place well such here
  take why things help put years different away again off went old number great tell men say small every found still between
  name should home big give air line set own under read last never us left end along while might next sound below saw
  something thought both few those always show large often together asked house world going want school important until form
  food keep children feet land side without boy once animal life enough took sometimes four head above kind began almost live
  page got earth need far hand`.split(/\s+/);

const RING_WORDS = 65_536;
/** Enough words to write any request's number in, so that no two prompts begin alike and none is in a prefix cache by chance. */
const UNIQUE_WORDS = 4;
const NO_BYTES = Buffer.alloc(0);

/**
 * Request bodies of synthetic text, one word a token. The same seed gives the same bodies. A long random text is made once and
 * prompts are cut from it, since drawing each word anew would cost the generator more than sending.
 */
export class Prompts {
  readonly #plan: RequestPlan;
  readonly #chance: Chance;
  readonly #ring: Buffer;
  /** Where each word of the ring begins. */
  readonly #starts: Uint32Array;
  readonly #prefix: Buffer;
  readonly #head: Buffer;
  readonly #middle: string;
  readonly #tail: string;
  #number: number;

  constructor(plan: RequestPlan) {
    this.#plan = plan;
    this.#chance = new Chance(plan.seed, "bench requests");
    const ring = ringOf(plan.seed);
    this.#ring = ring.text;
    this.#starts = ring.starts;
    this.#prefix = textOf(plan.sharedPrefixTokens, new Chance(plan.seed, "bench shared prefix"));
    const chat = plan.endpoint === "chat";
    const model = JSON.stringify(plan.model);
    this.#head = Buffer.from(`{"model":${model},${chat ? '"messages":[{"role":"user","content":"' : '"prompt":"'}`);
    this.#middle = `${chat ? '"}]' : '"'},${JSON.stringify(plan.outputMember)}:`;
    this.#tail = membersAfter(plan);
    this.#number = this.#chance.integer(0, 2 ** 31);
  }

  /** The next request's body. */
  next(): Buffer {
    const { promptTokens, outputTokens, sharedPrefixTokens } = this.#plan;
    const own = Math.max(1, this.#chance.integer(promptTokens.low, promptTokens.high) - sharedPrefixTokens);
    const output = this.#chance.integer(outputTokens.low, outputTokens.high);
    const parts = [this.#head, this.#prefix, this.#unique(Math.min(UNIQUE_WORDS, own))];
    this.#cut(own - UNIQUE_WORDS, parts);
    parts.push(Buffer.from(`${this.#middle}${output}${this.#tail}`));
    return Buffer.concat(parts);
  }

  /** This request's number, counted from one that the seed gives, written in words. */
  #unique(words: number): Buffer {
    let rest = this.#number;
    this.#number += 1;
    let text = "";
    for (let index = 0; index < words; index += 1) {
      text += ` ${WORDS[rest % WORDS.length]}`;
      rest = Math.floor(rest / WORDS.length);
    }
    return Buffer.from(text);
  }

  /** Adds so many words of the ring to `parts`, from a random place on. */
  #cut(words: number, parts: Buffer[]): void {
    let first = this.#chance.integer(0, RING_WORDS - 1);
    for (let left = words; left > 0;) {
      const some = Math.min(left, RING_WORDS - first);
      const begin = this.#starts[first] as number;
      parts.push(this.#ring.subarray(begin, this.#starts[first + some] as number));
      left -= some;
      first = 0;
    }
  }
}

/** What stands in a body behind the most output tokens. */
function membersAfter(plan: RequestPlan): string {
  const stream = plan.stream ? { stream: true, stream_options: { include_usage: true } } : {};
  const rest = JSON.stringify({ ...stream, ...plan.body });
  return rest === "{}" ? rest.slice(1) : `,${rest.slice(1)}`;
}

function ringOf(seed: string): { readonly text: Buffer; readonly starts: Uint32Array } {
  const chance = new Chance(seed, "bench text");
  const starts = new Uint32Array(RING_WORDS + 1);
  let text = "";
  for (let index = 0; index < RING_WORDS; index += 1) {
    starts[index] = text.length;
    text += ` ${chance.pick(WORDS)}`;
  }
  starts[RING_WORDS] = text.length;
  return { text: Buffer.from(text), starts };
}

function textOf(words: number, chance: Chance): Buffer {
  if (words === 0) return NO_BYTES;
  let text = "";
  for (let index = 0; index < words; index += 1) text += ` ${chance.pick(WORDS)}`;
  return Buffer.from(text);
}
