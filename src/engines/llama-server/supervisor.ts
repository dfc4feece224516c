import { extname } from "node:path";
import { ChildSupervisor, type SupervisorOptions } from "../child-supervisor.ts";
import type { LlamaServerRun } from "./flags.ts";

/** The guard's only argument, as JSON. */
export interface GuardOptions {
  readonly run: LlamaServerRun;
  readonly socketPath: string;
}

/** What is known of a server that has loaded. */
export interface ServerInfo {
  /** Its process id; that of the guard is the supervisor's. */
  readonly pid: number;
}

/** llama.cpp's server, kept by a guard process that ends with Baseload and takes the server along. Owned by its engine. */
export class LlamaServer extends ChildSupervisor<ServerInfo> {
  /** Makes the socket's directory, and no process yet. Throws the file system's error. */
  constructor(run: LlamaServerRun, options: SupervisorOptions) {
    const program = {
      // The guard has this file's extension: .ts as it is written, .js where it was compiled for a package.
      module: new URL(`./child${extname(import.meta.url)}`, import.meta.url),
      argument: (socketPath: string) => JSON.stringify({ run, socketPath } satisfies GuardOptions),
      environment: {},
      loads: run.modelPath,
    };
    super(program, options);
  }
}
