/** What llama.cpp's server is started with. */
export interface LlamaServerRun {
  /** The program, as a path or as a name on PATH. */
  readonly binary: string;
  readonly modelPath: string;
  /** What answers call the model. */
  readonly alias: string;
  /** Requests computed at once. */
  readonly sequences: number;
  /** Tokens of prompt and answer together, per request; null leaves it to the server. */
  readonly contextTokens: number | null;
  /** Layers that the accelerator has; null leaves it to the server. */
  readonly gpuLayers: number | null;
  /** What is passed on as it is. */
  readonly args: readonly string[];
}

/**
 * The flags for a run, by llama.cpp's tools/server/README.md: a host that ends with `.sock` is a Unix socket, the size of the
 * context is that of all sequences together, `--jinja` is what tool calls need and `--metrics` what load is read from.
 */
export function flagsOf(run: LlamaServerRun, socketPath: string): readonly string[] {
  const { modelPath, alias, sequences, contextTokens, gpuLayers, args } = run;
  const context = contextTokens === null ? [] : ["--ctx-size", String(contextTokens * sequences)];
  const layers = gpuLayers === null ? [] : ["--n-gpu-layers", String(gpuLayers)];
  const own = ["--model", modelPath, "--alias", alias, "--host", socketPath, "--parallel", String(sequences)];
  return [...own, ...context, ...layers, "--jinja", "--metrics", ...args];
}

/** Flags that say what Baseload says itself, or would shut it out. */
const OWN_FLAGS = new Set([
  ..."-m --model -mu --model-url -hf -hfr --hf-repo -a --alias --host --port --api-prefix --api-key --api-key-file".split(
    " ",
  ),
  ..."--ssl-key-file --ssl-cert-file -np --parallel -c --ctx-size -ngl --gpu-layers --n-gpu-layers --models-dir".split(
    " ",
  ),
]);

/** The first of `args` that is Baseload's to say, or null. */
export function ownFlag(args: readonly string[]): string | null {
  return args.find((arg) => OWN_FLAGS.has(arg.split("=")[0] ?? "")) ?? null;
}
