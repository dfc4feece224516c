import { connect, type Socket } from "node:net";
import { once } from "node:events";

/** An answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly text: string;
}

/** Sends these bytes over a connection of its own and reads until the server closes it. */
export async function exchangeBytes(port: number, bytes: string | Buffer): Promise<RawAnswer> {
  const socket = await open(port);
  socket.write(bytes);
  return parseAnswer(await readToEnd(socket));
}

/** A connection whose errors are no news: the server may close it while the test still writes. */
export async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** All bytes until the other side closes. */
export async function readToEnd(socket: Socket): Promise<string> {
  const parts: Buffer[] = [];
  socket.on("data", (part: Buffer) => parts.push(part));
  await once(socket, "close");
  return Buffer.concat(parts).toString("utf8");
}

/** The head and the body of one answer whose body is not chunked. */
export function parseAnswer(text: string): RawAnswer {
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const [line = "", ...lines] = head.split("\r\n");
  const headers = Object.fromEntries(
    lines.map((each) => [each.slice(0, each.indexOf(":")).toLowerCase(), each.slice(each.indexOf(":") + 1).trim()]),
  );
  return { status: Number(line.split(" ")[1]), headers, body: rest.join("\r\n\r\n"), text };
}
