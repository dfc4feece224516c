/** Serving stacks: 60 ms of HTTP, tokenising and scheduling, three steps, and 15 % of the prompts that could be ahead. Fitted to 1,728 TTFTs. */
const STACK = { requestS: 0.06, requestSteps: 3, burst: 0.15 } as const;

/**
 * The constants of the cost model: fitted once, by a robust loss, to 1,761 published serving measurements of seven accelerator types
 * with fp8 and four-bit weights. What the fit could not identify is taken from published kernel efficiencies and says so.
 */
export const CONSTANTS = {
  /** Fraction of peak bandwidth at which weights stream, by the format that is computed in. bf16: from kernels. */
  weightBandwidth: { bf16: 0.75, fp8: 0.83, fp4: 0.8, int8: 0.83 },
  /** Fraction of peak FLOP/s of large multiplications. bf16: from kernels; int8 as fp8. */
  compute: { bf16: 0.75, fp8: 0.53, fp4: 0.7, int8: 0.53 },
  /** Fraction of peak bandwidth at which the KV cache is read. */
  kvBandwidth: 0.47,
  /** Fraction of the 16-bit peak of attention in decode and in prefill. From kernels. */
  decodeAttention: 0.5,
  prefillAttention: 0.45,
  /** Fraction of the interconnect's bandwidth in collectives, and the seconds each takes at least among up to eight chips. */
  network: 0.32,
  collectiveS: 8.6e-6,
  /** Seconds a layer, and more for one with experts: launches, norms, routing. */
  layerS: 46e-6,
  expertLayerS: 15e-6,
  /** How much longer the most loaded chip takes than the average when experts are spread. */
  expertImbalance: 1.2,
  /** AMD's fraction of what its peaks would give with the other constants. */
  amd: 0.67,
  /** Seconds of the host's own work a step, by engine. */
  engineS: { vllm: 0, sglang: 0.69e-3, trtllm: 0.01e-3, "llama.cpp": 0 },
  /** What a first token waits for besides its own prompt, by engine. llama.cpp as its own benchmark runs it, without a server. */
  firstToken: { vllm: STACK, sglang: STACK, trtllm: STACK, "llama.cpp": { requestS: 0, requestSteps: 1, burst: 1 } },
  /** Bytes/s a chip, one way, beyond the scale-up domain (a 400 Gbit/s card), and where the catalogue knows no interconnect (PCIe 4 ×16).
   * Assumed. */
  scaleOutBytesPerS: 50e9,
  unknownLinkBytesPerS: 32e9,
} as const;

/** The constants of memory: how much of it an engine may fill. */
export const MEMORY = {
  /** Share that engines use by default, and on machines whose processor shares it. */
  usable: 0.97,
  usableUnified: 0.8,
  /** Bytes for activations, graphs and the runtime, at most this share of a small memory. */
  runtimeBytes: 3.5e9,
  runtimeShare: 0.05,
  /** Buffers of collectives, where there is more than one chip. */
  collectiveBytes: 0.4e9,
} as const;

/** The constants of power, as fractions of a chip's limit (TDP). */
export const POWER = {
  /** Model loaded, nothing to do. */
  idle: 0.2,
  /** In the gaps between kernels. */
  standby: 0.5,
  /** Reading memory, and what computing at full rate adds; it comes in as 1 − exp(−4 × FLOP utilisation). */
  memory: 0.62,
  compute: 0.36,
  steepness: 4,
  /** The rest of a server per chip, as a fraction of the chip's limit, where its power is not known (8×B200: 10.4 kW measured). */
  host: 0.3,
  /** Facility over node where no all-in figure is known. */
  facility: 1.3,
} as const;
