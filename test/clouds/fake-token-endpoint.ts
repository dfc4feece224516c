import { type KeyObject, verify } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A token endpoint that verifies the assertions it gets, gives `token-1`, `token-2` and so on for an hour each, and can be held. */
export class FakeTokenEndpoint {
  readonly url: string;
  readonly given: string[] = [];
  readonly claims: Record<string, unknown>[] = [];
  readonly #server: Server;
  #gate: Promise<void> = Promise.resolve();
  #open = (): void => {};
  #refuses = false;

  static async start(publicKey: KeyObject): Promise<FakeTokenEndpoint> {
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    return new FakeTokenEndpoint(server, publicKey);
  }

  constructor(server: Server, publicKey: KeyObject) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
    server.on("request", (request, response) => {
      let text = "";
      request.on("data", (chunk: Buffer) => (text += chunk.toString()));
      request.on("end", () => {
        void this.#gate.then(() => {
          const claims = this.#refuses ? null : claimsOf(new URLSearchParams(text), publicKey);
          this.#refuses = false;
          response.statusCode = claims === null ? 400 : 200;
          if (claims === null) return response.end('{"error":"invalid_grant"}');
          this.claims.push(claims);
          this.given.push(`token-${this.given.length + 1}`);
          return response.end(
            JSON.stringify({ access_token: this.given.at(-1), expires_in: 3600, token_type: "Bearer" }),
          );
        });
      });
    });
  }

  /** Answers wait from now on. */
  hold(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  release(): void {
    this.#open();
  }

  refuseNext(): void {
    this.#refuses = true;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

/** The claims of an assertion that its key signed, or null. */
function claimsOf(form: URLSearchParams, publicKey: KeyObject): Record<string, unknown> | null {
  if (form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer") return null;
  const [head = "", body = "", signature = ""] = (form.get("assertion") ?? "").split(".");
  const signed = Buffer.from(`${head}.${body}`);
  if (!verify("RSA-SHA256", signed, publicKey, Buffer.from(signature, "base64url"))) return null;
  return JSON.parse(Buffer.from(body, "base64url").toString()) as Record<string, unknown>;
}
