import type { EngineKind } from "../../base/engine-observation.ts";
import type { Address, BackendConfig } from "../../kernel/config.ts";
import type { Finding } from "./problems.ts";
import type { ParsedBackend } from "./schema.ts";
import { entriesOf, fieldOf, isRecord } from "./values.ts";

type Kind = EngineKind | "auto";
type Models = Exclude<ParsedBackend, { engine: "embedded" | "llama-server" }>["models"];
type Entry = Exclude<Extract<Models, Record<string, unknown>>[string], string>;

/** How each kind is told of an adapter: by the model's name, or by members of the body; others have no way that is known. */
const LORA_NAMES: Partial<Record<Kind, (model: string, lora: string) => string>> = {
  // https://docs.vllm.ai/en/latest/features/lora.html
  vllm: (_, lora) => lora,
  // docs/advanced_features/lora.ipynb of SGLang: base-model:adapter-name.
  sglang: (model, lora) => `${model}:${lora}`,
  // router/src/lib.rs of TGI takes any name but `tgi` as the adapter's.
  tgi: (_, lora) => lora,
};

/** What a backend's `models` come to for the kernel: names, and what a name alone does not say. */
export function addressed(kind: Kind, models: Models): Pick<BackendConfig, "models" | "addresses"> {
  if (models === undefined) return { models: null };
  if (models === "*") return { models: { "*": "*" } };
  if (Array.isArray(models)) return { models: Object.fromEntries(models.map((name) => [name, name])) };
  const names: Record<string, string> = {};
  const addresses: Record<string, Address> = {};
  for (const [name, entry] of Object.entries(models)) {
    names[name] = typeof entry === "string" ? entry : upstreamName(kind, entry);
    const address = typeof entry === "string" ? null : addressOf(kind, entry);
    if (address !== null) addresses[name] = address;
  }
  return Object.keys(addresses).length === 0 ? { models: names } : { models: names, addresses };
}

function upstreamName(kind: Kind, { model, lora }: Entry): string {
  return typeof lora === "string" ? (LORA_NAMES[kind]?.(model, lora) ?? model) : model;
}

function addressOf(kind: Kind, { lora, loraScale, dataParallelRank }: Entry): Address | null {
  const members: Record<string, string> = {};
  const headers: Record<string, string> = {};
  if (kind === "llamacpp" && typeof lora === "number") {
    // tools/server/README.md of llama.cpp; the scale is kept in thousandths.
    members["lora"] = JSON.stringify([{ id: lora, scale: (loraScale ?? 1000) / 1000 }]);
  }
  if (dataParallelRank !== undefined) {
    // vLLM's _get_data_parallel_rank; SGLang's body member, which was called data_parallel_rank before 0.5.
    if (kind === "vllm") headers["x-data-parallel-rank"] = String(dataParallelRank);
    if (kind === "sglang") members["routed_dp_rank"] = String(dataParallelRank);
  }
  const isEmpty = Object.keys(members).length + Object.keys(headers).length === 0;
  return isEmpty ? null : { members, headers };
}

/** What a backend's engine cannot be told. Takes plain values, which may be wrong elsewhere. */
export function addressFindings(name: string, backend: Readonly<Record<string, unknown>>): readonly Finding[] {
  const written = fieldOf(backend, "engine");
  const kind = typeof written === "string" ? written : "openai";
  return entriesOf(fieldOf(backend, "models")).flatMap(([model, entry]) => {
    if (!isRecord(entry)) return [];
    const at = (key: string, message: string, remedy: string): Finding => ({
      path: ["backends", name, "models", model, key],
      message,
      remedy,
    });
    const lora = fieldOf(entry, "lora");
    const findings: Finding[] = [];
    if (lora !== undefined) findings.push(...loraFindings(kind, lora, at));
    if (fieldOf(entry, "loraScale") !== undefined && kind !== "llamacpp") {
      findings.push(at("loraScale", "only llamacpp takes an adapter's weight", "remove it"));
    }
    if (fieldOf(entry, "dataParallelRank") !== undefined && kind !== "vllm" && kind !== "sglang") {
      findings.push(
        at("dataParallelRank", `${kind} cannot be told a rank`, "write engine: vllm or sglang, or remove it"),
      );
    }
    return findings;
  });
}

function loraFindings(
  kind: string,
  lora: unknown,
  at: (key: string, message: string, remedy: string) => Finding,
): readonly Finding[] {
  const isNumber = typeof lora === "number";
  if (kind === "llamacpp" && !isNumber) {
    return [at("lora", "llamacpp knows adapters by number", "write its id in GET /lora-adapters, such as 0")];
  }
  if (kind === "llamacpp") return [];
  if (!Object.hasOwn(LORA_NAMES, kind)) {
    return [
      at("lora", `${kind} cannot be told an adapter`, "write engine: vllm, sglang, tgi or llamacpp, or remove it"),
    ];
  }
  return isNumber ? [at("lora", `${kind} knows adapters by name`, "write the name that the engine gives it")] : [];
}
