import { hash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { ErrorCode } from "../base/errors.ts";

/** Whose key it is. */
export interface KeyHolder {
  readonly tenant: string;
  /** The key's name in the configuration. */
  readonly key: string | null;
  /** Whether it may operate the server: see and cordon backends. Absent: it may not. */
  readonly admin?: boolean;
}

/** Keys by the SHA-256 of the key in hexadecimal; empty means that no keys are in use. */
export type KeyRing = ReadonlyMap<string, KeyHolder>;

const DEFAULT_HOLDER: KeyHolder = { tenant: "default", key: null, admin: true };

/** The SHA-256 of a key in hexadecimal. */
export function hashKey(key: string): string {
  return hash("sha256", key, "hex");
}

/** Who sends this request, or why it is refused. */
export function identify(req: IncomingMessage, keys: KeyRing): KeyHolder | ErrorCode {
  if (keys.size === 0) return isLocal(req) ? DEFAULT_HOLDER : "origin_refused";
  // Anthropic's clients may send theirs in a header of its own.
  const given = /^Bearer +(\S+)$/i.exec(req.headers.authorization ?? "")?.[1] ?? req.headers["x-api-key"];
  if (typeof given !== "string" || given === "") return "missing_key";
  return keys.get(hashKey(given)) ?? "wrong_key";
}

// A page in a browser can reach loopback: by a form or script of another origin, or by a host name of its own that resolves
// to 127.0.0.1. Without keys only the headers tell such a page from a program.
function isLocal(req: IncomingMessage): boolean {
  const { origin, host } = req.headers;
  if (host !== undefined && !isLoopbackName(hostName(host))) return false;
  if (origin === undefined) return true;
  return URL.canParse(origin) && isLoopbackName(new URL(origin).hostname);
}

function hostName(host: string): string {
  return host.replace(/:\d+$/, "");
}

/** Whether a host name or address means this machine. */
export function isLoopbackName(name: string): boolean {
  const bare = name.toLowerCase().replace(/^\[|\]$/g, "");
  return bare === "localhost" || bare.endsWith(".localhost") || bare === "::1" || /^127(\.\d{1,3}){3}$/.test(bare);
}
