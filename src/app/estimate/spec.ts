import type { CommandSpec } from "../cli.ts";

/** The `estimate` command. */
export const ESTIMATE: CommandSpec = {
  name: "estimate",
  usage: "estimate --model NAME --on HARDWARE [options]",
  summary: "estimate speed, memory, power and cost of a model on given hardware",
  options: [
    { name: "model", value: "NAME", text: "a model of the catalogue, or a file: a config.json or a GGUF" },
    { name: "on", value: "HW", text: "hardware and count, such as h200x4, mi355x or gb200-nvl72" },
    { name: "prefill-on", value: "HW", text: "further hardware that computes the prompts, so that --on decodes alone" },
    { name: "compare", value: "HW,HW", text: "further hardware, each in a row" },
    {
      name: "precision",
      value: "NAME",
      text: "precision of the weights: bf16, fp8, nvfp4, int4, q4_k … (as published)",
    },
    { name: "kv", value: "NAME", text: "precision of the KV cache (as goes with --precision)" },
    { name: "isl", value: "N", text: "tokens of each prompt (1024)" },
    { name: "osl", value: "N", text: "tokens of each answer (1024)" },
    { name: "concurrency", value: "N", text: "requests at any time, N or N..M for powers of two (1..256)" },
    { name: "tp", value: "N", text: "tensor parallelism (what is left of the chips by --dp and --pp)" },
    { name: "dp", value: "N", text: "replicas of attention; experts are spread over tp × dp (1)" },
    { name: "pp", value: "N", text: "pipeline stages (1)" },
    { name: "engine", value: "NAME", text: "vllm (default), sglang, trtllm or llama.cpp" },
    { name: "prefix-hit", value: "F", text: "share of each prompt found in the prefix cache, 0 to 1 (0)" },
    { name: "chunk", value: "N", text: "prompt tokens that one step takes at most (8192)" },
    { name: "draft", value: "N", text: "tokens drafted a step (0)" },
    { name: "acceptance", value: "F", text: "probability that a drafted token is accepted (0.7)" },
    { name: "static", value: null, text: "compute all prompts of a batch before its answers begin" },
    { name: "zone", value: "ZONE", text: "grid of the catalogue, such as DEU, for grams of CO2" },
    { name: "usd-per-kwh", value: "F", text: "price of electricity" },
    { name: "catalog", value: "FILE", text: "your own accelerators, models, prices …, JSON or YAML" },
    { name: "batch", value: "IN.csv", text: "answer many points: CSV in, CSV on standard output" },
    { name: "html", value: null, text: "print a page with Pareto plots, which needs nothing else" },
    { name: "json", value: null, text: "print one JSON document instead of tables" },
  ],
  examples: [
    "baseload estimate --model llama-3.1-70b --on h200x4 --precision fp8 --isl 2000 --osl 300 --concurrency 1..256",
    "baseload estimate --model deepseek-r1 --on h200x8 --compare mi355x8,gb200-nvl72,trn2-ultra --concurrency 64",
    "baseload estimate --model gpt-oss-120b --on h100x2 --compare mi355x,b200 --html > estimate.html",
    "baseload estimate --batch points.csv > answers.csv",
  ],
};
