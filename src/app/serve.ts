import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type CommandSpec, integerOption, type Invocation, textOption, UsageError } from "./cli.ts";
import { compose, provideTinyModel, type Running } from "./compose.ts";
import { ConfigError, defaultConfig, formatProblems, loadConfig } from "./config/load.ts";
import type { AppConfig } from "./config/types.ts";
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
  const config = readConfig(invocation, say);
  if (config === null) return 1;
  if (invocation.values["check"] === true) {
    const backends = config.kernel.backends.map(({ id }) => id);
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
  say("listening", { url: running.url, dataDir }, welcome(running, config));
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
  await stopped;
  return shutDown(running, config, say);
}

type Say = (event: string, data: object, words: string) => void;

function speaker(json: boolean): Say {
  return (event, data, words) => {
    process.stdout.write(json ? `${JSON.stringify({ event, ...data })}\n` : `${words}\n`);
  };
}

async function shutDown(running: Running, config: AppConfig, say: Say): Promise<number> {
  const seconds = config.server.shutdownMs / 1000;
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
    process.on("SIGINT", take);
    process.on("SIGTERM", take);
    onParentGone(() => {
      if (firstMs === null) take();
    });
  });
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

/** The configuration of the command line, or null when it has errors, which are printed then. */
function readConfig(invocation: Invocation, say: Say): AppConfig | null {
  if (invocation.positionals.length > 1)
    throw new UsageError("serve takes one configuration file. See `baseload serve --help`.");
  const named = invocation.positionals[0];
  const file = named ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : null);
  if (named !== undefined && !existsSync(named)) throw new UsageError(`There is no file ${named}.`);
  let config: AppConfig;
  try {
    const loaded =
      file === null ? { config: defaultConfig(), warnings: [] } : loadConfig(readFileSync(file, "utf8"), file);
    for (const warning of loaded.warnings) process.stderr.write(`${warning}\n`);
    config = loaded.config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (invocation.values["json"] === true) say("invalid", { problems: error.problems }, "");
    else process.stderr.write(`${formatProblems(error.problems)}\n`);
    return null;
  }
  const host = textOption(invocation, "host");
  const port = integerOption(invocation, "port", { low: 0, high: 65_535 });
  return {
    ...config,
    server: { ...config.server, ...(host === null ? {} : { host }), ...(port === null ? {} : { port }) },
  };
}

function welcome(running: Running, config: AppConfig): string {
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
