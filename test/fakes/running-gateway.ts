import { after } from "node:test";
import { Gateway, type GatewayOptions } from "../../src/gateway/server.ts";
import { FakeDesk } from "./desk.ts";
import { GATEWAY_OPTIONS } from "./gateway.ts";

/** A gateway that listens, the desk behind it, and what it tells the operator. */
export interface RunningGateway {
  readonly gateway: Gateway;
  readonly desk: FakeDesk;
  readonly port: number;
  /** As in `http://127.0.0.1:PORT`. */
  readonly origin: string;
  readonly lines: readonly string[];
}

const gateways: Gateway[] = [];

after(async () => {
  for (const gateway of gateways) {
    gateway.stopListening();
    await gateway.finish(0);
  }
});

/** Starts a gateway on a free port, with these options where they matter; it ends with the tests of the file. */
export async function startGateway(change: Partial<GatewayOptions> = {}): Promise<RunningGateway> {
  const desk = new FakeDesk();
  const lines: string[] = [];
  const gateway = new Gateway(desk, { ...GATEWAY_OPTIONS, log: (line) => lines.push(line), ...change });
  gateways.push(gateway);
  const port = await gateway.listen("127.0.0.1", 0);
  return { gateway, desk, port, origin: `http://127.0.0.1:${port}`, lines };
}
