import { resolve } from "node:path";
import { Progress } from "../bench/progress.ts";
import { type CommandSpec, type Invocation, textOption, UsageError } from "../cli.ts";
import { modelNameOf } from "./file-names.ts";
import { infoOf, modelsDir, partialFiles, removeFiles, storedModels } from "./folder.ts";
import { type Where, wantedBy } from "./hub.ts";
import { tryHold } from "./locks.ts";
import { modelTable, sizeInWords } from "./print.ts";
import type { Token } from "./open.ts";
import { pull, type Wanted } from "./pull.ts";

const HUB = "https://huggingface.co";

/** The `models` command. */
export const MODELS: CommandSpec = {
  name: "models",
  usage: "models list | pull URL|hf:… | rm NAME",
  summary: "list, fetch and remove the models of the data directory",
  options: [
    { name: "data-dir", value: "DIR", text: "the data directory; models are in its folder `models` (.baseload)" },
    { name: "hub", value: "URL", text: `the hub that hf: means, instead of HF_ENDPOINT (${HUB})` },
    { name: "name", value: "NAME", text: "pull: what to call the model, instead of its file's name" },
    { name: "sha256", value: "HEX", text: "pull: the checksum that the file must have" },
    { name: "yes", value: null, text: "rm: do not ask" },
    { name: "json", value: null, text: "print the result as JSON" },
  ],
  examples: [
    "baseload models list",
    "baseload models pull hf:ORG/REPO:Q4_K_M          the hub's file of that quantization, all parts of it",
    "baseload models pull hf:ORG/REPO/FILE.gguf       HF_TOKEN is sent to the hub, and nowhere else",
    "baseload models pull https://example.com/m.gguf --sha256 HEX",
    "baseload models rm m --yes",
  ],
};

/** Does what the first word says; exit status 1 when that failed. */
export async function runModels(invocation: Invocation): Promise<number> {
  const [verb, ...rest] = invocation.positionals;
  const verbs: Readonly<Record<string, (argument: string | undefined) => Promise<number>>> = {
    list: () => runList(invocation),
    pull: (argument) => runPull(argument, invocation),
    rm: (argument) => runRemove(argument, invocation),
  };
  const run = verb !== undefined && Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  if (run === undefined) throw new UsageError("models takes list, pull or rm. See `baseload models --help`.");
  if (rest.length > (verb === "list" ? 0 : 1))
    throw new UsageError(`models ${verb} takes fewer words. See \`baseload models --help\`.`);
  return run(rest[0]);
}

function folderOf(invocation: Invocation): string {
  return modelsDir(resolve(textOption(invocation, "data-dir") ?? ".baseload"));
}

async function runList(invocation: Invocation): Promise<number> {
  const dir = folderOf(invocation);
  const models = storedModels(dir).map((model) => ({ ...model, ...infoOf(dir, model) }));
  const unfinished = partialFiles(dir);
  const json = invocation.values["json"] === true;
  process.stdout.write(json ? `${JSON.stringify({ dir, models, unfinished })}\n` : modelTable(dir, models, unfinished));
  return 0;
}

async function runPull(reference: string | undefined, invocation: Invocation): Promise<number> {
  if (reference === undefined)
    throw new UsageError("models pull takes a URL or a model on a hub. See `baseload models --help`.");
  const where = whereOf(invocation);
  const token = tokenOf(where);
  const progress = new Progress(process.stderr);
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  let line = "asking";
  progress.start(() => line);
  try {
    const asking = { token, signal: stop.signal };
    const wanted = withChecksum(await wantedBy(reference, where, asking), textOption(invocation, "sha256"));
    const pulled = await pull(wanted, {
      ...asking,
      dir: folderOf(invocation),
      say: (text) => progress.say(text),
      waitMs: (failures) => 1000 * 2 ** failures,
      onBytes: (file, have, total) => {
        line = `${file}  ${sizeInWords(have)}${total === null ? "" : ` of ${sizeInWords(total)}, ${Math.floor((100 * have) / Math.max(total, 1))} %`}`;
      },
    });
    progress.stop();
    report(pulled, invocation.values["json"] === true);
    return 0;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    throw new Error("stopped; what came is kept, and the same command goes on with it", { cause: error });
  } finally {
    progress.stop();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}

function report(pulled: Awaited<ReturnType<typeof pull>>, json: boolean): void {
  const name = modelNameOf(pulled[0]?.file ?? "");
  if (json) {
    process.stdout.write(`${JSON.stringify({ name, files: pulled })}\n`);
    return;
  }
  for (const { file, sizeBytes, sha256, wasThere } of pulled)
    process.stdout.write(
      `${file}  ${sizeInWords(sizeBytes)}  sha256 ${sha256}${wasThere ? "  was there already" : ""}\n`,
    );
  process.stdout.write(`Use it in baseload.yaml: backends: { local: { engine: embedded, model: ${name} } }\n`);
}

function whereOf(invocation: Invocation): Where {
  const written = textOption(invocation, "hub") ?? (process.env["HF_ENDPOINT"] || HUB);
  if (!/^https?:\/\//i.test(written) || !URL.canParse(written))
    throw new UsageError(`the hub ${written} is not a URL with http or https`);
  return { hub: written.replace(/\/+$/, ""), name: textOption(invocation, "name") };
}

function tokenOf({ hub }: Where): Token | null {
  const value = process.env["HF_TOKEN"]?.trim() ?? "";
  return value === "" ? null : { origin: new URL(hub).origin, value };
}

function withChecksum(wanted: readonly Wanted[], sha256: string | null): readonly Wanted[] {
  if (sha256 === null) return wanted;
  if (!/^[0-9a-f]{64}$/i.test(sha256)) throw new UsageError("--sha256 takes the 64 hexadecimal digits of a SHA-256");
  if (wanted.length > 1) throw new UsageError(`--sha256 is of one file, but this model has ${wanted.length}`);
  const given = sha256.toLowerCase();
  for (const { file, sha256: hubs } of wanted) {
    if (hubs !== null && hubs !== given)
      throw new Error(`the hub says that ${file} has the SHA-256 ${hubs}, not ${given}`);
  }
  return wanted.map((each) => ({ ...each, sha256: given }));
}

async function runRemove(name: string | undefined, invocation: Invocation): Promise<number> {
  if (name === undefined) throw new UsageError("models rm takes a model's name. See `baseload models list`.");
  const dir = folderOf(invocation);
  const found = candidates(dir, name);
  const [only] = found;
  if (only === undefined) throw new Error(`there is no model ${name} in ${dir}; see \`baseload models list\``);
  if (found.length > 1)
    throw new Error(
      `${name} is the name of several models: ${found.map((each) => each.name).join(", ")}; write one in full`,
    );
  if (invocation.values["yes"] !== true && !(await confirmed(only)))
    throw new Error(`nothing was removed; add --yes to remove ${only.files.join(", ")}`);
  const held = tryHold(dir, only.name, "exclusive");
  if (held === null) throw new Error(`${only.name} is in use by a running server or being pulled; stop that first`);
  try {
    removeFiles(dir, only.files);
  } finally {
    held.release();
  }
  if (invocation.values["json"] === true)
    process.stdout.write(`${JSON.stringify({ name: only.name, files: only.files })}\n`);
  else process.stdout.write(`Removed ${only.files.join(", ")}.\n`);
  return 0;
}

interface Candidate {
  readonly name: string;
  readonly files: readonly string[];
}

/** The models that a name may mean, half-pulled ones too: the one of that name or file, else those that it begins. */
function candidates(dir: string, name: string): readonly Candidate[] {
  const byName = new Map<string, string[]>();
  const files = [...storedModels(dir).flatMap((model) => model.files), ...partialFiles(dir).map(({ file }) => file)];
  for (const file of new Set(files)) byName.set(modelNameOf(file), [...(byName.get(modelNameOf(file)) ?? []), file]);
  const all = [...byName].map(([own, of]) => ({ name: own, files: of }));
  const exact = all.filter((each) => each.name === name || each.files.includes(name));
  return exact.length > 0 ? exact : all.filter((each) => each.name.startsWith(name));
}

async function confirmed({ files }: Candidate): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const { createInterface } = await import("node:readline/promises");
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`Remove ${files.join(", ")}? [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
