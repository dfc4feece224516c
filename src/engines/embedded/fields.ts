/** Reads single fields of a request's body: each is checked or refused, none is guessed. */
import { badValue } from "./errors.ts";

/** A JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether a value is a JSON object. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a field asks for a feature: clients also send null, false, 0 and "" for "no". */
export function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && value !== 0 && value !== "";
}

/** Whether a value is an array with something in it. */
export function isNonEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

/** A number within bounds. Throws `ApiError` 400. */
export function readNumber(
  body: Fields,
  param: string,
  range: { low: number; high: number; fallback: number },
): number {
  const value = body[param] ?? range.fallback;
  if (typeof value !== "number" || !Number.isFinite(value) || value < range.low || value > range.high) {
    throw badValue(param, `it must be a number from ${range.low} to ${range.high}`);
  }
  return value;
}

/** An integer of at least `low`, or null where there is none. Throws `ApiError` 400. */
export function readInteger(body: Fields, param: string, low: number): number | null {
  const value = body[param] ?? null;
  if (value === null) return null;
  if (!Number.isSafeInteger(value) || (value as number) < low)
    throw badValue(param, `it must be an integer of at least ${low}`);
  return value as number;
}

/** True or false; false where it is absent. Throws `ApiError` 400. */
export function readFlag(body: Fields, param: string, fallback = false): boolean {
  const value = body[param] ?? fallback;
  if (typeof value !== "boolean") throw badValue(param, "it must be true or false");
  return value;
}
