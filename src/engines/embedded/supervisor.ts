/** The embedded engine's child process as its parent sees it. */
import { extname } from "node:path";
import { ChildSupervisor, type SupervisorOptions } from "../child-supervisor.ts";
import { CHILD_ENVIRONMENT, type ChildOptions, type EngineInfo } from "./protocol.ts";

/** How to run an engine; what is left out has the child's defaults. */
export type EmbeddedEngineOptions = Omit<ChildOptions, "socketPath"> & SupervisorOptions;

/** One embedded engine and its child process. Owned by the composition root. */
export class EmbeddedEngine extends ChildSupervisor<EngineInfo> {
  /** Makes the socket's directory, and no process yet. Throws the file system's error. */
  constructor(options: EmbeddedEngineOptions) {
    const { socketDir: _socketDir, onState: _onState, onLog: _onLog, ...childOptions } = options;
    const program = {
      // The child has this file's extension: .ts as it is written, .js where it was compiled for a package.
      module: new URL(`./child${extname(import.meta.url)}`, import.meta.url),
      argument: (socketPath: string) => JSON.stringify({ ...childOptions, socketPath } satisfies ChildOptions),
      environment: CHILD_ENVIRONMENT,
      loads: options.modelPath,
    };
    super(program, options);
  }
}
