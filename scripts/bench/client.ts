import { connect, type Socket } from "node:net";

const HEAD_END = Buffer.from("\r\n\r\n");
const LAST_CHUNK = "0\r\n\r\n";
const DATA = Buffer.from("data: {");

/** What a client hears about its request. Times are `performance.now()`. */
export interface Heard {
  /** The answer ended; `ok` when its status was 200 and it was whole. */
  ended(client: Client, ok: boolean): void;
}

/** One connection that sends one request at a time and reads its answer as cheaply as can be. Owned by a run of the load. */
export class Client {
  readonly #heard: Heard;
  readonly #port: number;
  #socket: Socket;
  #busy = false;
  #rest: Buffer | null = null;
  #bodyLeft = -1;
  #chunked = false;
  #status = 0;
  sentMs = 0;
  firstMs = 0;
  /** Events with content that came in all requests so far. */
  events = 0;

  constructor(port: number, heard: Heard) {
    this.#port = port;
    this.#heard = heard;
    this.#socket = this.#open();
  }

  send(bytes: Buffer): void {
    this.#busy = true;
    this.#bodyLeft = -1;
    this.#status = 0;
    this.firstMs = 0;
    if (this.#socket.destroyed) this.#socket = this.#open();
    this.sentMs = performance.now();
    this.#socket.write(bytes);
  }

  close(): void {
    this.#busy = false;
    this.#socket.destroy();
  }

  #open(): Socket {
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      if (this.#busy && socket === this.#socket) this.#end(false);
    });
    return socket;
  }

  #take(chunk: Buffer): void {
    if (this.#bodyLeft === -1) this.#takeHead(chunk);
    else this.#takeBody(chunk);
  }

  #takeHead(chunk: Buffer): void {
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    const at = bytes.indexOf(HEAD_END);
    this.#rest = at === -1 ? bytes : null;
    if (at === -1) return;
    const head = bytes.toString("latin1", 0, at).toLowerCase();
    this.#status = Number(head.slice(9, 12));
    const length = /content-length: *(\d+)/.exec(head)?.[1];
    this.#chunked = length === undefined;
    this.#bodyLeft = length === undefined ? 0 : Number(length);
    const body = bytes.subarray(at + HEAD_END.length);
    if (body.length > 0) this.#takeBody(body);
  }

  #takeBody(body: Buffer): void {
    if (!this.#chunked) {
      this.#bodyLeft -= body.length;
      if (this.#bodyLeft <= 0) this.#end(this.#status === 200);
      return;
    }
    let at = body.indexOf(DATA);
    if (at !== -1 && this.firstMs === 0) this.firstMs = performance.now();
    for (; at !== -1; at = body.indexOf(DATA, at + DATA.length)) this.events += 1;
    if (body.length < LAST_CHUNK.length || body.at(-1) !== 0x0a) return this.#perhapsSplit(body);
    if (body.toString("latin1", body.length - LAST_CHUNK.length) === LAST_CHUNK) this.#end(this.#status === 200);
  }

  /** The end of the chunks may come in pieces; that is rare, and then only its last byte tells. */
  #perhapsSplit(body: Buffer): void {
    if (LAST_CHUNK.endsWith(body.toString("latin1"))) this.#end(this.#status === 200);
  }

  #end(ok: boolean): void {
    if (!this.#busy) return;
    this.#busy = false;
    this.#heard.ended(this, ok);
  }
}
