import { connect, type Socket } from "node:net";
import { until } from "../../gateway-suite/check.ts";
import { Child } from "./children.ts";

/** More than the listener's queue holds. */
const CALLERS = 8;
const LISTENER = `
  const server = require("node:net").createServer();
  server.listen(Number(process.argv[1]), "127.0.0.1", 1, () => console.log("port " + server.address().port));
`;

/** A port whose queue of connections is full and whose process is stopped: on Linux, whoever connects waits. */
export class FullPort implements AsyncDisposable {
  /** Elsewhere a full queue refuses, or takes all the same. */
  static readonly isPossible = process.platform === "linux";
  readonly port: number;
  readonly #child: Child;
  readonly #callers: readonly Socket[];

  private constructor(port: number, child: Child, callers: readonly Socket[]) {
    this.port = port;
    this.#child = child;
    this.#callers = callers;
  }

  /** Makes one, of a free port unless one is given. */
  static async open(port = 0): Promise<FullPort> {
    const child = new Child({ command: process.execPath, args: ["--eval", LISTENER, String(port)] });
    const found = await until(() => Promise.resolve(/port (\d+)/.exec(child.stdout)?.[1]), {
      withinMs: 20_000,
      orElse: `the listener named no port: ${child.output}`,
    });
    child.signal("SIGSTOP");
    const callers = Array.from({ length: CALLERS }, () => connect(Number(found), "127.0.0.1").on("error", () => {}));
    return new FullPort(Number(found), child, callers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const caller of this.#callers) caller.destroy();
    await this.#child[Symbol.asyncDispose]();
  }
}
