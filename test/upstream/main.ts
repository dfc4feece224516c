import { parseArgs } from "node:util";
import { describeBehaviours } from "./behaviours.ts";
import { startMock } from "./mock-upstream.ts";

function help(): string {
  const rows = describeBehaviours().map(([name, says]) => `  ${name.padEnd(24)} ${says}`);
  return [
    "usage: node test/upstream/main.ts [--port N]",
    "",
    "A fake OpenAI-compatible server on 127.0.0.1. The model's name picks the behaviour:",
    "",
    ...rows,
    "",
    "GET /mock/requests lists what was received; POST /mock/reset forgets it;",
    "POST /mock/release with a part of a request's body lets that held request go on.",
  ].join("\n");
}

function readOptions(): { port: number } | "help" | undefined {
  try {
    const { values } = parseArgs({
      options: { port: { type: "string", default: "0" }, help: { type: "boolean", short: "h" } },
    });
    if (values.help) return "help";
    const port = Number(values.port);
    return Number.isInteger(port) && port >= 0 && port < 65_536 ? { port } : undefined;
  } catch {
    return undefined;
  }
}

const options = readOptions();
if (options === "help") {
  console.log(help());
} else if (options === undefined) {
  console.error(help());
  process.exitCode = 2;
} else {
  const mock = await startMock(options).catch((error: unknown) => {
    console.error(
      `The mock cannot listen on port ${options.port}: ${error instanceof Error ? error.message : String(error)}`,
    );
    process.exitCode = 1;
  });
  if (mock) {
    console.log(`mock upstream at ${mock.baseUrl}`);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void mock.close());
  }
}
