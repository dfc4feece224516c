import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type CommandSpec, integerOption, type Invocation, textOption, UsageError } from "./cli.ts";
import { compose, provideTinyModel, type Running } from "./compose.ts";
import { ConfigError, defaultConfig, formatProblems, loadConfig, type LoadedConfig } from "./config/load.ts";
import type { AppConfig } from "./config/types.ts";
import type { FleetChanged } from "./engine-fleet.ts";
import { Reloader } from "./reload.ts";
import { VERSION } from "./version.ts";

const DEFAULT_FILE = "baseload.yaml";

/** The `serve` command. */
export const SERVE: CommandSpec = {
  name: "serve",
  usage: "serve [baseload.yaml]",
  summary: "serve the backends of a configuration on one endpoint",
  options: [
    { name: "host", value: "HOST", text: "address to listen on, instead of server.host (127.0.0.1)" },
    { name: "port", value: "PORT", text: "port to listen on, instead of server.port (8080); 0 takes a free one" },
    { name: "data-dir", value: "DIR", text: "where receipts and models are kept (.baseload)" },
    { name: "journal", value: "FILE", text: "record every event and decision in a new file" },
    { name: "check", value: null, text: "check the configuration and end" },
    { name: "json", value: null, text: "print JSON lines instead of words" },
  ],
  examples: [
    "baseload serve                          the embedded engine with a tiny model",
    "baseload serve baseload.yaml --check",
    "baseload serve examples/two-upstreams.yaml --port 9000",
  ],
};

/** Serves until a signal; exit status 1 when it cannot serve, or when receipts were lost at the end. */
export async function runServe(invocation: Invocation): Promise<number> {
  const json = invocation.values["json"] === true;
  const say = speaker(json);
  const source = sourceOf(invocation);
  const config = readConfig(source, json, say);
  if (config === null) return 1;
  if (invocation.values["check"] === true) {
    const backends = [
      ...config.kernel.backends.map(({ id }) => id),
      ...config.discovered.map(({ name }) => `${name}/…`),
    ];
    say("checked", { backends }, `The configuration is valid: ${backends.length} backend(s): ${backends.join(", ")}.`);
    return 0;
  }
  const dataDir = resolve(textOption(invocation, "data-dir") ?? ".baseload");
  const log = (line: string): void => {
    process.stderr.write(json ? `${JSON.stringify({ event: "log", line })}\n` : `${line}\n`);
  };
  // From here on a signal is answered by an orderly end, however early it comes.
  const stopped = stopSignal();
  provideTinyModel(config, dataDir);
  const running = await compose(config, { dataDir, journal: textOption(invocation, "journal"), env: process.env, log });
  say("listening", { url: running.url, dataDir }, welcome(running));
  const failure = await Promise.race([
    running.ready.then(
      () => null,
      (error: unknown) => error,
    ),
    stopped,
  ]);
  if (failure instanceof Error) {
    await running.stop();
    throw failure;
  }
  const end = followFile(source, { running, log, say });
  await stopped;
  end();
  return shutDown(running, say);
}

type Say = (event: string, data: object, words: string) => void;

function speaker(json: boolean): Say {
  return (event, data, words) => {
    process.stdout.write(json ? `${JSON.stringify({ event, ...data })}\n` : `${words}\n`);
  };
}

async function shutDown(running: Running, say: Say): Promise<number> {
  const seconds = running.config.server.shutdownMs / 1000;
  say("stopping", {}, `Stopping: open answers have ${seconds} s to end. Press Ctrl-C again to end now.`);
  const lost = await running.stop();
  say("stopped", { lost }, lost === 0 ? "Stopped." : `Stopped, and ${lost} receipt(s) could not be stored.`);
  return lost === 0 ? 0 : 1;
}

// A terminal and a wrapper may each pass the same Ctrl-C on; only a later one means "now".
const SAME_SIGNAL_MS = 500;

/** Resolves at the first SIGINT or SIGTERM; a later one ends the process at once, with status 130. */
function stopSignal(): Promise<"signal"> {
  return new Promise((settle) => {
    let firstMs: number | null = null;
    const take = (): void => {
      if (firstMs === null) {
        firstMs = performance.now();
        settle("signal");
      } else if (performance.now() - firstMs > SAME_SIGNAL_MS) {
        process.exit(130);
      }
    };
    // Until the models are loaded nothing can be reloaded; the file is read again then anyway.
    process.on("SIGHUP", () => {
      if (firstMs === null && terminalIsGone()) take();
    });
    process.on("SIGINT", take);
    process.on("SIGTERM", take);
    onParentGone(() => {
      if (firstMs === null) take();
    });
  });
}

/** Whether this was started in a terminal that has been closed: the system says that by SIGHUP too, and means an end. */
function terminalIsGone(): boolean {
  if (!process.stdin.isTTY && !process.stdout.isTTY) return false;
  try {
    closeSync(openSync("/dev/tty", "r"));
    return false;
  } catch {
    return true;
  }
}

const PARENT_CHECK_MS = 500;

/**
 * Under npm or the launcher, calls back when the parent has gone: npm passes a signal to the shell that it runs a script in,
 * and the shell ends without passing it on; a launcher that was killed passes nothing on.
 */
function onParentGone(gone: () => void): void {
  const isUnderNpm = process.env["npm_lifecycle_event"] !== undefined;
  const isLaunched = process.env["BASELOAD_LAUNCHER"] === String(process.ppid);
  if (!isUnderNpm && !isLaunched) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    gone();
  }, PARENT_CHECK_MS);
  timer.unref();
}

/** Where the configuration comes from: the file's path and text, or null for the built-in one, and what options change. */
interface Source {
  readonly file: { readonly path: string; readonly text: string } | null;
  readonly read: (text: string) => LoadedConfig;
}

function sourceOf(invocation: Invocation): Source {
  if (invocation.positionals.length > 1)
    throw new UsageError("serve takes one configuration file. See `baseload serve --help`.");
  const named = invocation.positionals[0];
  const path = named ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : null);
  if (named !== undefined && !existsSync(named)) throw new UsageError(`There is no file ${named}.`);
  const host = textOption(invocation, "host");
  const port = integerOption(invocation, "port", { low: 0, high: 65_535 });
  const read = (text: string): LoadedConfig => {
    const { config, warnings } = path === null ? { config: defaultConfig(), warnings: [] } : loadConfig(text, path);
    const server = {
      ...config.server,
      ...(host === null ? {} : { host }),
      ...(port === null ? {} : { port }),
    };
    return { config: { ...config, server }, warnings };
  };
  return { file: path === null ? null : { path, text: readFileSync(path, "utf8") }, read };
}

/** The configuration of the command line, or null when it has errors, which are printed then. */
function readConfig({ file, read }: Source, json: boolean, say: Say): AppConfig | null {
  try {
    const { config, warnings } = read(file?.text ?? "");
    for (const warning of warnings) process.stderr.write(`${warning}\n`);
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (json) say("invalid", { problems: error.problems }, "");
    else process.stderr.write(`${formatProblems(error.problems)}\n`);
    return null;
  }
}

/** Takes the file up again when it changes and at SIGHUP; returns what ends that. */
function followFile(
  { file, read }: Source,
  to: { readonly running: Running; readonly log: (line: string) => void; readonly say: Say },
): () => void {
  const { running, log, say } = to;
  if (file === null) {
    const tell = (): void => log("SIGHUP: there is no configuration file to read again.");
    process.on("SIGHUP", tell);
    return () => process.off("SIGHUP", tell);
  }
  const done = (changed: FleetChanged): void =>
    say("reloaded", changed, `The configuration is in force: ${inWords(changed)}.`);
  const reloader = new Reloader({ file: resolve(file.path), text: file.text, read, running, log, done });
  const now = (): void => reloader.now();
  process.on("SIGHUP", now);
  reloader.start();
  return () => {
    process.off("SIGHUP", now);
    reloader.stop();
  };
}

function inWords({ added, replaced, removed }: FleetChanged): string {
  const parts = [
    ["added", added],
    ["replaced", replaced],
    ["removed", removed],
  ] as const;
  const told = parts.filter(([, ids]) => ids.length > 0).map(([what, ids]) => `${what} ${ids.join(", ")}`);
  return told.length === 0 ? "the backends' engines are as they were" : told.join("; ");
}

function welcome(running: Running): string {
  const { config } = running;
  const lines = [`Baseload ${VERSION} serves on ${running.url}`];
  for (const backend of config.kernel.backends) {
    const site = config.kernel.sites.find(({ id }) => id === backend.site);
    const models = backend.models === null ? "models as it reports them" : Object.keys(backend.models).join(", ");
    lines.push(`  backend ${backend.id} at ${backend.site} (${site?.layer ?? "unknown"}): ${models}`);
  }
  const model =
    config.kernel.backends.flatMap((backend) => Object.keys(backend.models ?? {})).find((name) => name !== "*") ??
    "MODEL";
  lines.push("Try:", `  curl ${running.url}/v1/chat/completions -H 'content-type: application/json' \\`);
  lines.push(`    -d '{"model":"${model}","messages":[{"role":"user","content":"Hello"}]}'`);
  return lines.join("\n");
}
