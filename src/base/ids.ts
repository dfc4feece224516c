import { assert } from "./assert.ts";

/** A request's id, minted by the shell as a UUIDv7 (RFC 9562); also its receipt's id. */
export type RequestId = string;

/** A backend's name in the configuration. */
export type BackendId = string;

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** A UUIDv7 of `wallMs` (Unix milliseconds) and ten random bytes starting at `offset` in `random`. */
export function uuidv7(wallMs: number, random: Uint8Array, offset = 0): RequestId {
  assert(Number.isSafeInteger(wallMs) && wallMs >= 0, `bad wall time ${wallMs}`);
  assert(random.length >= offset + 10, "ten random bytes are needed");
  const hex = (value: number): string => HEX[value & 255] as string;
  const at = (index: number): number => random[offset + index] as number;
  const seconds = Math.floor(wallMs / 2 ** 24);
  const rest = wallMs % 2 ** 24;
  return (
    hex(seconds >>> 16) +
    hex(seconds >>> 8) +
    hex(seconds) +
    hex(rest >>> 16) +
    "-" +
    hex(rest >>> 8) +
    hex(rest) +
    "-" +
    hex(0x70 | (at(0) & 0x0f)) +
    hex(at(1)) +
    "-" +
    hex(0x80 | (at(2) & 0x3f)) +
    hex(at(3)) +
    "-" +
    hex(at(4)) +
    hex(at(5)) +
    hex(at(6)) +
    hex(at(7)) +
    hex(at(8)) +
    hex(at(9))
  );
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether `text` is a UUID in canonical lower-case form. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}
