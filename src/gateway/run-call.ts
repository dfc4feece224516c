import type { IncomingHttpHeaders } from "node:http";
import { decimalToInteger } from "../base/decimal.ts";
import { digestOf } from "../base/hash.ts";
import type { Endpoint } from "../base/job.ts";
import { NO_RUN_LIMITS, type RunCall, type RunLimits } from "../base/run.ts";

/** Why what a call says of its run cannot be taken; `param` is the header or member that is wrong. */
export interface RunProblem {
  readonly detail: string;
  readonly param: string;
}

const RUN_ID = /^[\x21-\x7e]{1,128}$/;
const MOST_CHOICES = 1000;

// What each header limits, and the decimals that its unit has.
const LIMIT_HEADERS = [
  { header: "x-baseload-run-max-steps", limit: "maxSteps", places: 0 },
  { header: "x-baseload-run-max-tokens", limit: "maxTokens", places: 0 },
  { header: "x-baseload-run-max-usd", limit: "maxCostNanoUsd", places: 9 },
  { header: "x-baseload-run-max-joules", limit: "maxEnergyMilliJoules", places: 3 },
  { header: "x-baseload-run-max-seconds", limit: "maxWallMs", places: 3 },
  { header: "x-baseload-run-max-same-calls", limit: "maxSameCalls", places: 0 },
] as const satisfies readonly { header: string; limit: keyof RunLimits; places: number }[];

/** Whether a text may be the id of a run. */
export function isRunId(text: string): boolean {
  return RUN_ID.test(text);
}

/**
 * What a call says of the run that it belongs to, by its headers and its parsed body; null when it names none. The header names
 * the run where both do.
 */
export function runCallOf(
  headers: IncomingHttpHeaders,
  body: unknown,
  endpoint: Endpoint,
): RunCall | RunProblem | null {
  const header = headers["x-baseload-run"];
  const given = header ?? metadataRunId(body);
  const param = header === undefined ? "metadata.run_id" : "x-baseload-run";
  if (given === undefined) return limitWithoutRun(headers);
  if (typeof given !== "string" || !isRunId(given))
    return { detail: `${param} must be 1 to 128 printable ASCII characters without spaces`, param };
  const limits = limitsOf(headers);
  if ("param" in limits) return limits;
  return { runId: given, limits, choices: choicesOf(body), callHash: endpoint === "embeddings" ? null : hashOf(body) };
}

/** OpenAI's `metadata` holds what a client likes; only its `run_id` is read, and all of it is passed on. */
function metadataRunId(body: unknown): unknown {
  const { metadata } = body as { readonly metadata?: unknown };
  if (typeof metadata !== "object" || metadata === null) return undefined;
  return (metadata as { readonly run_id?: unknown }).run_id;
}

/** A limit that binds nothing would be believed to. */
function limitWithoutRun(headers: IncomingHttpHeaders): RunProblem | null {
  const found = LIMIT_HEADERS.find(({ header }) => headers[header] !== undefined);
  if (found === undefined) return null;
  return { detail: `${found.header} limits a run, and the call names none by x-baseload-run`, param: found.header };
}

function limitsOf(headers: IncomingHttpHeaders): RunLimits | RunProblem {
  const limits: Record<keyof RunLimits, number | null> = { ...NO_RUN_LIMITS };
  for (const { header, limit, places } of LIMIT_HEADERS) {
    const text = headers[header];
    if (text === undefined) continue;
    const value = typeof text === "string" ? decimalToInteger(text, places) : "malformed";
    if (typeof value !== "number" || value < 1) {
      const kind = places === 0 ? "whole number" : `number with at most ${places} decimals`;
      return { detail: `${header} must be a ${kind} above 0`, param: header };
    }
    limits[limit] = value;
  }
  return limits;
}

/** Answers to each prompt, of which a text completion may have many. */
function choicesOf(body: unknown): number {
  const { n, best_of: bestOf, prompt } = body as Readonly<Record<string, unknown>>;
  const asked = [n, bestOf].filter((value): value is number => typeof value === "number" && Number.isInteger(value));
  // An array of numbers is one prompt's tokens.
  const prompts = Array.isArray(prompt) && typeof prompt[0] !== "number" ? prompt.length : 1;
  return Math.min(MOST_CHOICES, Math.max(1, ...asked) * Math.max(1, prompts));
}

// What the model is told, by the names that the different shapes have for it; the rest is how it is to answer.
const TOLD = [
  "model",
  "messages",
  "prompt",
  "input",
  "instructions",
  "system",
  "previous_response_id",
  "conversation",
] as const;

function hashOf(body: unknown): string {
  const members = body as Readonly<Record<string, unknown>>;
  return digestOf(JSON.stringify(TOLD.map((name) => members[name] ?? null)));
}
