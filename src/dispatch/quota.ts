import type { Job } from "../base/job.ts";
import { mulAddDiv } from "../base/integers.ts";

/** What an upstream grants, as it counts: each a bucket that refills evenly over its time. Null is no limit. */
export interface Quota {
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  readonly requestsPerDay: number | null;
  readonly tokensPerDay: number | null;
  /** Output tokens that are reserved for a request that names no limit of its own. */
  readonly assumedOutputTokens: number;
}

/** What is left of one limit. Plain data, owned by the backend's state. */
export interface Bucket {
  readonly unit: "request" | "token";
  readonly windowUs: number;
  limit: number;
  /** What may be used now; below zero when more was used than had been reserved. */
  level: number;
  /** What has been refilled of the next unit, in parts of `windowUs`, so that nothing is lost to rounding. */
  fraction: number;
  asOfUs: number;
}

const MINUTE_US = 60_000_000;
const DAY_US = 86_400_000_000;

/** The buckets of a quota: new ones are full, those of before keep what they had, within their new limit. */
export function bucketsOf(quota: Quota | null, before: readonly Bucket[], nowUs: number): Bucket[] {
  if (quota === null) return [];
  const limits = [
    { unit: "request", windowUs: MINUTE_US, limit: quota.requestsPerMinute },
    { unit: "token", windowUs: MINUTE_US, limit: quota.tokensPerMinute },
    { unit: "request", windowUs: DAY_US, limit: quota.requestsPerDay },
    { unit: "token", windowUs: DAY_US, limit: quota.tokensPerDay },
  ] as const;
  return limits.flatMap(({ unit, windowUs, limit }): Bucket[] => {
    if (limit === null) return [];
    const old = before.find((bucket) => bucket.unit === unit && bucket.windowUs === windowUs);
    if (old === undefined) return [{ unit, windowUs, limit, level: limit, fraction: 0, asOfUs: nowUs }];
    refill(old, nowUs);
    return [{ ...old, limit, level: Math.min(old.level, limit) }];
  });
}

// The usual rule of thumb for text; what it was in truth is settled at the end.
const CHARACTERS_PER_TOKEN = 4;

/** The tokens that are reserved for a job at its send: an estimate of its prompt, and the most that it may be answered with. */
export function reservationOf({ endpoint, promptTextLength, maxOutputTokens }: Job, quota: Quota): number {
  const output = endpoint === "embeddings" ? 0 : (maxOutputTokens ?? quota.assumedOutputTokens);
  return Math.ceil(promptTextLength / CHARACTERS_PER_TOKEN) + output;
}

/**
 * When these buckets let a request of so many tokens go, in monotonic microseconds, if nobody else takes from them: `nowUs` when
 * they do now. A request that is larger than a limit goes when that limit's bucket is full.
 */
export function readyUs(buckets: readonly Bucket[], tokens: number, nowUs: number): number {
  let latestUs = nowUs;
  for (const bucket of buckets) {
    refill(bucket, nowUs);
    const lacking = amountOf(bucket, tokens) - bucket.level;
    if (lacking <= 0) continue;
    const { limit, windowUs, fraction } = bucket;
    const { quotient } = mulAddDiv({ a: lacking, b: windowUs, add: limit - 1 - fraction }, limit);
    latestUs = Math.max(latestUs, Math.min(nowUs + quotient, Number.MAX_SAFE_INTEGER));
  }
  return latestUs;
}

/** What was taken from one bucket of tokens at a send. */
export interface Charge {
  readonly windowUs: number;
  readonly tokens: number;
}

/** Takes a request of so many tokens from the buckets, from none more than its limit. Returns what is to be settled. */
export function take(buckets: readonly Bucket[], tokens: number, nowUs: number): readonly Charge[] {
  const charges: Charge[] = [];
  for (const bucket of buckets) {
    refill(bucket, nowUs);
    const amount = amountOf(bucket, tokens);
    bucket.level -= amount;
    if (bucket.unit === "token") charges.push({ windowUs: bucket.windowUs, tokens: amount });
  }
  return charges;
}

/** Settles what was taken against the tokens that were used: the difference is given back, or taken too. */
export function settleTokens(
  buckets: readonly Bucket[],
  of: { readonly charges: readonly Charge[]; readonly used: number },
  nowUs: number,
): void {
  for (const bucket of buckets) {
    const charge = of.charges.find(({ windowUs }) => bucket.unit === "token" && windowUs === bucket.windowUs);
    // A bucket that a later configuration brought had nothing taken from it.
    if (charge === undefined) continue;
    refill(bucket, nowUs);
    bucket.level = Math.min(bucket.limit, bucket.level + charge.tokens - of.used);
    if (bucket.level === bucket.limit) bucket.fraction = 0;
  }
}

function amountOf({ unit, limit }: Bucket, tokens: number): number {
  return unit === "request" ? 1 : Math.min(tokens, limit);
}

function refill(bucket: Bucket, nowUs: number): void {
  const { limit, level, windowUs, fraction, asOfUs } = bucket;
  const { quotient, rest } = mulAddDiv({ a: nowUs - asOfUs, b: limit, add: fraction }, windowUs);
  const isFull = level + quotient >= limit;
  bucket.level = isFull ? limit : level + quotient;
  bucket.fraction = isFull ? 0 : rest;
  bucket.asOfUs = nowUs;
}
