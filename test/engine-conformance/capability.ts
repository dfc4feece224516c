import assert from "node:assert/strict";

/**
 * What optional capabilities of an OpenAI-compatible server must do, one file each: tools, JSON by schema, logprobs, embeddings,
 * cached tokens, stop sequences, pictures, the order of a stream, refusals. They speak HTTP alone, so that they run against any server, and
 * demand nothing of what a model says.
 */

/** A server under test. */
export interface CapabilityTarget {
  /** The model to ask for. */
  readonly model: string;
  /** Members of each body besides those that are checked, such as a limit that the model's answers need. */
  readonly more: Readonly<Record<string, unknown>>;
  /** Members of a chat's body that the API behind the server has no word for, each with a value that is refused. */
  readonly refused?: readonly (readonly [member: string, value: unknown])[];
  /** Whether it has legacy completions; it has unless this is false. */
  readonly hasCompletions?: boolean;
  /** Whether its model reads pictures; it does unless this is false. */
  readonly hasEyes?: boolean;
  /** Whether it counts the tokens of embeddings; it does unless this is false. */
  readonly countsEmbeddings?: boolean;
  /** Sends `body` to a path such as `/v1/chat/completions`; resolves to the status and the parsed answer. */
  post(path: string, body: object): Promise<{ readonly status: number; readonly body: Answer }>;
  /** The same as a stream; resolves to the parsed events without `[DONE]`. */
  stream(path: string, body: object): Promise<readonly Answer[]>;
}

/** The parts of OpenAI's answers that the checks read. */
export interface Answer {
  readonly choices: readonly Choice[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens?: number;
    readonly total_tokens: number;
    readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null;
  } | null;
  readonly data?: readonly { readonly index: number; readonly embedding: readonly number[] | string }[];
  readonly error?: { readonly message: string; readonly param: string | null; readonly code: string | null };
}

interface Choice {
  readonly finish_reason: string | null;
  readonly text?: string;
  readonly message?: { readonly content: string | null; readonly tool_calls?: readonly Call[] };
  readonly delta?: { readonly content?: string | null; readonly tool_calls?: readonly CallDelta[] };
  readonly logprobs?: {
    readonly content?: readonly TokenLogprob[] | null;
    readonly tokens?: readonly string[];
    readonly token_logprobs?: readonly number[];
    readonly top_logprobs?: readonly Readonly<Record<string, number>>[];
    readonly text_offset?: readonly number[];
  } | null;
}

/** A whole tool call. */
export interface Call {
  readonly id: string;
  readonly type: string;
  readonly function: { readonly name: string; readonly arguments: string };
}

interface CallDelta {
  readonly index: number;
  readonly id?: string;
  readonly type?: string;
  readonly function?: { readonly name?: string; readonly arguments?: string };
}

/** One token's probability in a chat. */
export interface TokenLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[] | null;
  readonly top_logprobs: readonly { readonly token: string; readonly logprob: number }[];
}

/** Where chats are. */
export const CHAT = "/v1/chat/completions";

/** A body for the target: its model, its own members, then `more`, without members that it has no word for. */
export function bodyFor(target: CapabilityTarget, more: object): object {
  const members = Object.entries({ model: target.model, ...target.more, ...more });
  return Object.fromEntries(members.filter(([name, value]) => !isRefused(target, name, value)));
}

/** Whether a member of a body is one that the target has no word for, whatever a plain value of it is. */
export function isRefused(target: CapabilityTarget, name: string, value: unknown): boolean {
  const isPlain = typeof value !== "object";
  return (target.refused ?? []).some(
    ([member, other]) => member === name && (isPlain || JSON.stringify(other) === JSON.stringify(value)),
  );
}

/** Asserts the refusal of a member that the API has no word for. */
export function assertRefused(
  { status, body }: { readonly status: number; readonly body: Answer },
  member: string,
): void {
  assert.deepEqual([status, body.error?.code], [400, "not_expressible"], member);
  assert.match(body.error?.message ?? "", new RegExp(member));
}

/** Puts a stream's call deltas together, as clients do. */
export function callsOf(chunks: readonly Answer[]): readonly Call[] {
  const calls: { id: string; type: string; function: { name: string; arguments: string } }[] = [];
  for (const delta of chunks.flatMap(({ choices }) => choices.flatMap((choice) => choice.delta?.tool_calls ?? []))) {
    const call = (calls[delta.index] ??= { id: "", type: "", function: { name: "", arguments: "" } });
    call.id += delta.id ?? "";
    call.type += delta.type ?? "";
    call.function.name += delta.function?.name ?? "";
    call.function.arguments += delta.function?.arguments ?? "";
  }
  return calls;
}

/** A stream's words. */
export function wordsOf(chunks: readonly Answer[]): string {
  return chunks.flatMap(({ choices }) => choices.map((choice) => choice.delta?.content ?? choice.text ?? "")).join("");
}

/** The last reason to end that a stream gave. */
export function endOf(chunks: readonly Answer[]): string | null {
  return (
    chunks
      .flatMap(({ choices }) => choices.map((choice) => choice.finish_reason))
      .findLast((reason) => reason !== null) ?? null
  );
}
