import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { Replayer } from "../kernel/journal.ts";
import { type CommandSpec, type Invocation, textOption, UsageError } from "./cli.ts";

/** The `replay` command. */
export const REPLAY: CommandSpec = {
  name: "replay",
  usage: "replay --exact JOURNAL",
  summary: "feed a journal to the kernel again and compare its commands",
  options: [
    { name: "exact", value: "JOURNAL", text: "a file that `baseload serve --journal` wrote" },
    { name: "json", value: null, text: "print the result as JSON" },
  ],
  examples: ["baseload serve --journal run.jsonl", "baseload replay --exact run.jsonl"],
};

/** Replays a journal; exit status 1 when the commands differ or the file is not a journal. */
export async function runReplay(invocation: Invocation): Promise<number> {
  const file = textOption(invocation, "exact");
  if (file === null) throw new UsageError("replay needs --exact JOURNAL. See `baseload replay --help`.");
  const started = performance.now();
  const replayer = new Replayer();
  let line = 0;
  let tail = 0;
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    line += 1;
    try {
      if (!replayer.take(text)) break;
    } catch (error) {
      // A process that was killed may leave half a line, which can only be the last.
      tail = line;
      if (!(error instanceof SyntaxError))
        throw new Error(`${file}:${line}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
    if (tail !== 0 && tail !== line) throw new Error(`${file}:${tail}: this line is not JSON`);
  }
  const result = { ...replayer.result(), truncated: tail !== 0, seconds: (performance.now() - started) / 1000 };
  // A journal of another kernel is told apart at its first line, before any event.
  if (line === 0 || (result.events === 0 && result.mismatch === null)) throw new Error(`${file} holds no events`);
  if (invocation.values["json"] === true) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(inWords(result));
  return result.mismatch === null ? 0 : 1;
}

function inWords(
  result: ReturnType<Replayer["result"]> & { readonly truncated: boolean; readonly seconds: number },
): string {
  const lines = [
    `${result.events} events, ${result.commands} commands in ${result.seconds.toFixed(2)} s, digest ${result.digest}`,
    result.mismatch === null
      ? `The commands are the same at each of ${result.compared} comparisons.`
      : `The commands are NOT the same: ${result.mismatch}.`,
  ];
  if (result.unchecked > 0)
    lines.push(`${result.unchecked} events after the last digest have nothing to be compared to.`);
  if (result.truncated) lines.push("The last line is cut off, as after a kill; the lines before it were used.");
  return `${lines.join("\n")}\n`;
}
