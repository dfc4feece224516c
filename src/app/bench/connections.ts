import { Client } from "undici";

/**
 * Connections to one server, each for one request at a time. The one that was used last is used next, so that those which are
 * not needed go idle and close. A pool of undici's looks through all its connections for each request; this does not.
 */
export class Connections {
  readonly #origin: string;
  readonly #all: Client[] = [];
  readonly #idle: Client[] = [];
  /** How many times a connection was made. */
  opened = 0;

  constructor(origin: string) {
    this.#origin = origin;
  }

  take(): Client {
    return this.#idle.pop() ?? this.#open();
  }

  /** Gives one back whose request is over, however it ended: a client that lost its connection makes another. */
  give(client: Client): void {
    this.#idle.push(client);
  }

  /** Ends every connection, in use or not. */
  async close(): Promise<void> {
    await Promise.all(this.#all.map((client) => client.destroy()));
  }

  #open(): Client {
    // The run's own timeout is the only clock. HTTP/1.1, so that a slow answer holds up no other.
    const client = new Client(this.#origin, { headersTimeout: 0, bodyTimeout: 0, allowH2: false });
    client.on("connect", () => (this.opened += 1));
    this.#all.push(client);
    return client;
  }
}
