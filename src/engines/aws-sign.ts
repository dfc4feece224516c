import { createHash, createHmac } from "node:crypto";

/** Who signs, and in whose name. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials, or null. */
  readonly sessionToken: string | null;
}

/** A request to be signed. */
export interface SignedRequest {
  readonly method: string;
  /** `host`, with its port where the URL has one. */
  readonly host: string;
  /** The path as it is sent. */
  readonly path: string;
  /** The query as it is sent, without `?`, or empty. */
  readonly query: string;
  /** Headers to sign besides host and date, as a flat list of names in lower case and values. */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** For whom a signature is good. */
export interface SigningScope {
  readonly region: string;
  readonly service: string;
  /** Wall time. */
  readonly atMs: number;
}

const ALGORITHM = "AWS4-HMAC-SHA256";

/**
 * The headers that sign a request, as a flat list (AWS Signature Version 4, "Create a signed AWS API request"). The path is
 * encoded once more than it is sent, as every service but S3 wants it.
 */
export function signV4(request: SignedRequest, credentials: AwsCredentials, scope: SigningScope): readonly string[] {
  const time = new Date(scope.atMs).toISOString().replaceAll(/[:-]|\.\d{3}/g, "");
  const date = time.slice(0, 8);
  const added = ["x-amz-date", time];
  if (credentials.sessionToken !== null) added.push("x-amz-security-token", credentials.sessionToken);
  const headers = pairsOf(["host", request.host, ...added, ...request.headers]).toSorted(byName);
  const names = headers.map(([name]) => name).join(";");
  const canonical = [
    request.method,
    request.path.split("/").map(encode).join("/"),
    canonicalQuery(request.query),
    ...headers.map(([name, value]) => `${name}:${value.trim().replaceAll(/ +/g, " ")}`),
    "",
    names,
    sha256(request.body),
  ].join("\n");
  const within = `${date}/${scope.region}/${scope.service}/aws4_request`;
  const toSign = [ALGORITHM, time, within, sha256(canonical)].join("\n");
  const keys = [date, scope.region, scope.service, "aws4_request"];
  const key = keys.reduce<Buffer | string>((from, part) => hmac(from, part), `AWS4${credentials.secretAccessKey}`);
  const signature = hmac(key, toSign).toString("hex");
  const proof = `${ALGORITHM} Credential=${credentials.accessKeyId}/${within}, SignedHeaders=${names}, Signature=${signature}`;
  return [...added, "authorization", proof];
}

/** A text as it stands in a path or query: everything but unreserved characters (RFC 3986, 2.3) as its bytes of UTF-8. */
export function encode(text: string): string {
  const rest = (sign: string): string => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, rest);
}

function canonicalQuery(query: string): string {
  if (query === "") return "";
  const pairs = query.split("&").map((pair): [string, string] => {
    const [name = "", ...value] = pair.split("=");
    return [encode(decodeURIComponent(name)), encode(decodeURIComponent(value.join("=")))];
  });
  const sorted = pairs.toSorted((one, other) => byName(one, other) || compare(one[1], other[1]));
  return sorted.map(([name, value]) => `${name}=${value}`).join("&");
}

function pairsOf(flat: readonly string[]): [string, string][] {
  return flat.flatMap((name, index): [string, string][] => (index % 2 === 0 ? [[name, flat[index + 1] ?? ""]] : []));
}

function byName(one: readonly [string, string], other: readonly [string, string]): number {
  return compare(one[0], other[0]);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function sha256(of: Buffer | string): string {
  return createHash("sha256").update(of).digest("hex");
}
