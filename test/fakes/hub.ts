import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A file on the fake hub. */
export interface HubFile {
  readonly path: string;
  readonly bytes: Buffer;
  readonly etag: string;
}

/** A request as it came. */
export interface Asked {
  readonly at: "hub" | "store";
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

/**
 * A hub like Hugging Face's: lists a repository's files, and redirects large ones to a store on another port, with their SHA-256 in a
 * header of the redirect. Its faults are its public members. Owned by a test, which disposes of it.
 */
export class FakeHub implements AsyncDisposable {
  readonly files = new Map<string, HubFile>();
  readonly asked: Asked[] = [];
  /** Each answer of the store's stops after so many bytes, in turn, and is cut by `arrived`; none when it is empty. */
  cuts: number[] = [];
  /** Each request to the store gets such a status, in turn. */
  statuses: number[] = [];
  ignoresRange = false;
  /** Goes on with what it has now, whatever `If-Range` says. */
  ignoresIfRange = false;
  saysChecksum = true;
  saysEtag = true;
  /** The checksum it says, instead of the right one. */
  checksum: string | null = null;
  /** What the hub wants to see as a token, or null. */
  token: string | null = null;
  redirects = 1;
  #held: { readonly response: ServerResponse; readonly haveBytes: number } | null = null;
  readonly #hub = createServer((request, response) => this.#answerHub(request, response));
  readonly #store = createServer((request, response) => this.#answerStore(request, response));

  static async start(): Promise<FakeHub> {
    const hub = new FakeHub();
    for (const server of [hub.#hub, hub.#store]) {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
    }
    return hub;
  }

  get url(): string {
    return `http://127.0.0.1:${portOf(this.#hub)}`;
  }

  get storeUrl(): string {
    return `http://127.0.0.1:${portOf(this.#store)}`;
  }

  /** Puts a file into the repository `org/repo`. */
  put(path: string, bytes: Buffer): HubFile {
    const file = { path, bytes, etag: `"${createHash("md5").update(bytes).digest("hex")}"` };
    this.files.set(path, file);
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.#hub, this.#store]) {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    }
  }

  #answerHub(request: IncomingMessage, response: ServerResponse): void {
    const url = this.#note("hub", request);
    if (this.token !== null && request.headers.authorization !== `Bearer ${this.token}`) {
      response.writeHead(401).end();
    } else if (url.pathname === "/api/models/org/repo/tree/main") {
      const list = [...this.files.values()].map(({ path, bytes }) => ({
        type: "file",
        path,
        size: bytes.length,
        lfs: { oid: this.#checksumOf(bytes), size: bytes.length },
      }));
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(list));
    } else {
      const path = decodeURIComponent(url.pathname).replace(/^\/org\/repo\/resolve\/main\//, "");
      const file = this.files.get(path);
      if (file === undefined) return void response.writeHead(404).end();
      const checksum = this.saysChecksum ? { "x-linked-etag": `"${this.#checksumOf(file.bytes)}"` } : {};
      response.writeHead(302, { location: `${this.storeUrl}/${this.redirects}/${path}?signed=1`, ...checksum }).end();
    }
  }

  #answerStore(request: IncomingMessage, response: ServerResponse): void {
    const url = this.#note("store", request);
    const [, hop = "", ...rest] = url.pathname.split("/");
    if (Number(hop) > 1)
      return void response.writeHead(307, { location: `/${Number(hop) - 1}/${rest.join("/")}` }).end();
    const status = this.statuses.shift();
    if (status !== undefined) return void response.writeHead(status, { "retry-after": "0" }).end();
    const file = this.files.get(decodeURIComponent(rest.join("/")));
    if (file === undefined) return void response.writeHead(404).end();
    this.#send(file, request, response);
  }

  #send({ bytes, etag }: HubFile, { headers }: IncomingMessage, response: ServerResponse): void {
    const from = this.ignoresRange ? 0 : Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    const isSame = this.ignoresIfRange || headers["if-range"] === undefined || headers["if-range"] === etag;
    const tag = this.saysEtag ? { etag } : {};
    if (from >= bytes.length && from > 0 && isSame) {
      return void response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
    }
    const isPart = from > 0 && isSame;
    const rest = isPart ? bytes.subarray(from) : bytes;
    const range = isPart ? { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
    response.writeHead(isPart ? 206 : 200, { "content-length": rest.length, ...tag, ...range });
    const cut = this.cuts.shift();
    if (cut === undefined || cut >= rest.length) return void response.end(rest);
    response.flushHeaders();
    if (cut === 0) return void response.destroy();
    response.write(rest.subarray(0, cut));
    this.#held = { response, haveBytes: (isPart ? from : 0) + cut };
  }

  /** Whether an answer waits to be cut whose client has not gone. */
  get isHolding(): boolean {
    return this.#held !== null && !this.#held.response.destroyed;
  }

  /** The client tells how far it has come: a connection that is to be cut is closed once all before the cut has arrived. */
  arrived(haveBytes: number): void {
    if (this.#held === null || haveBytes < this.#held.haveBytes) return;
    this.#held.response.destroy();
    this.#held = null;
  }

  #checksumOf(bytes: Buffer): string {
    return this.checksum ?? createHash("sha256").update(bytes).digest("hex");
  }

  #note(at: Asked["at"], request: IncomingMessage): URL {
    const url = new URL(request.url ?? "/", this.url);
    const { authorization, range } = request.headers;
    this.asked.push({ at, path: url.pathname, authorization, range });
    return url;
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
