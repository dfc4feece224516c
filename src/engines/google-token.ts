import { createSign } from "node:crypto";
import { readFileSync } from "node:fs";
import { request } from "undici";
import { isObject, numberOf, objectOf, textOf } from "../wire/json.ts";
import { jsonOf } from "../wire/reading.ts";
import type { TokenSource } from "./dialect.ts";

/** A Google service account, as the JSON file of its key has it. */
export interface ServiceAccount {
  readonly clientEmail: string;
  /** PEM. Printed nowhere. */
  readonly privateKey: string;
  readonly privateKeyId: string | null;
  readonly tokenUrl: string;
}

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const DEFAULT_TOKEN_URL = "https://oauth2.googleapis.com/token";
const ASSERTION_SECONDS = 3600;
const FETCH_TIMEOUT_MS = 30_000;
/** A token is asked for anew this long before it expires, while the old one is still used. */
const EARLY_MS = 300_000;
/** With less left than this it may expire under way. */
const LATE_MS = 30_000;
/** A file of a token is read again after this time. */
const FILE_FOR_MS = 30_000;

/** The account in the text of a key's file, or null when it is none. */
export function serviceAccountOf(text: string): ServiceAccount | null {
  const value = objectOf(jsonOf(text));
  const clientEmail = textOf(value?.["client_email"]);
  const privateKey = textOf(value?.["private_key"]);
  if (clientEmail === null || privateKey === null) return null;
  const tokenUrl = textOf(value?.["token_uri"]) ?? DEFAULT_TOKEN_URL;
  return { clientEmail, privateKey, privateKeyId: textOf(value?.["private_key_id"]), tokenUrl };
}

/**
 * Access tokens of a service account: a JWT that its key signs is exchanged for one at Google's token endpoint (RFC 7523;
 * "Using OAuth 2.0 for server to server applications"). One exchange at a time. Owned by one engine.
 */
export class ServiceAccountTokens implements TokenSource {
  readonly #account: ServiceAccount;
  readonly #wallMs: () => number;
  #token: { readonly text: string; readonly expiresAtMs: number } | null = null;
  #exchange: Promise<string> | null = null;

  constructor(account: ServiceAccount, wallMs: () => number = Date.now) {
    this.#account = account;
    this.#wallMs = wallMs;
  }

  current(): string | null {
    const token = this.#token;
    const leftMs = token === null ? 0 : token.expiresAtMs - this.#wallMs();
    if (token === null || leftMs < LATE_MS) return null;
    // The old one is good until the new one comes; should none come, a later send finds no token and says why.
    if (leftMs < EARLY_MS) this.fetch().catch(() => {});
    return token.text;
  }

  fetch(): Promise<string> {
    this.#exchange ??= this.#exchanged().finally(() => {
      this.#exchange = null;
    });
    return this.#exchange;
  }

  async #exchanged(): Promise<string> {
    const askedAtMs = this.#wallMs();
    const { statusCode, body } = await request(this.#account.tokenUrl, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ grant_type: GRANT, assertion: this.#assertion(askedAtMs) }).toString(),
      signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
    });
    const answer = jsonOf(await body.text());
    const token = isObject(answer) ? textOf(answer["access_token"]) : null;
    const seconds = isObject(answer) ? numberOf(answer["expires_in"]) : null;
    if (statusCode !== 200 || token === null || seconds === null || !/^[\x21-\x7e]+$/.test(token)) {
      throw new Error(`the token endpoint gave no token, status ${statusCode}`);
    }
    this.#token = { text: token, expiresAtMs: askedAtMs + seconds * 1000 };
    return token;
  }

  #assertion(atMs: number): string {
    const { clientEmail, privateKey, privateKeyId, tokenUrl } = this.#account;
    const iat = Math.floor(atMs / 1000);
    const kid = privateKeyId === null ? {} : { kid: privateKeyId };
    const claims = { iss: clientEmail, scope: SCOPE, aud: tokenUrl, iat, exp: iat + ASSERTION_SECONDS };
    const parts = [{ alg: "RS256", typ: "JWT", ...kid }, claims];
    const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
    return `${signed}.${createSign("RSA-SHA256").update(signed).sign(privateKey, "base64url")}`;
  }
}

/** A token that another program keeps fresh in a file. Owned by one engine. */
export class FileToken implements TokenSource {
  readonly #path: string;
  #read: { readonly text: string; readonly atMs: number } | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  current(): string | null {
    const nowMs = performance.now();
    if (this.#read !== null && nowMs - this.#read.atMs < FILE_FOR_MS) return this.#read.text;
    const text = tokenIn(this.#path);
    this.#read = text === null ? null : { text, atMs: nowMs };
    return text;
  }

  fetch(): Promise<string> {
    const text = this.current();
    return text === null
      ? Promise.reject(new Error("the file of the token cannot be read or holds no token"))
      : Promise.resolve(text);
  }
}

function tokenIn(path: string): string | null {
  try {
    const text = readFileSync(path, "utf8").trim();
    return /^[\x21-\x7e]+$/.test(text) ? text : null;
  } catch {
    // Why it cannot be read is the operator's to see; the send that wanted it fails with the file's name in words.
    return null;
  }
}
