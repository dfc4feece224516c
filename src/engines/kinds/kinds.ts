import type { EngineKind } from "../../base/engine-observation.ts";
import { dynamo } from "./dynamo.ts";
import { llamacpp } from "./llamacpp.ts";
import { lmstudio } from "./lmstudio.ts";
import { ollama } from "./ollama.ts";
import type { Answers, Endpoint, KindReader } from "./reader.ts";
import { sglang } from "./sglang.ts";
import { tgi } from "./tgi.ts";
import { trtllm } from "./trtllm.ts";
import { vllm } from "./vllm.ts";

/** The kinds that say more than OpenAI's API does. Dynamo comes first, since it passes on the metrics of the engines behind it. */
export const READERS: readonly KindReader[] = [dynamo, vllm, sglang, llamacpp, trtllm, tgi, ollama, lmstudio];

/** The reader of a kind, or null for a plain server. */
export function readerOf(kind: EngineKind): KindReader | null {
  return READERS.find((reader) => reader.kind === kind) ?? null;
}

/** Every endpoint that tells kinds apart, each once. */
export function detectionEndpoints(): readonly Endpoint[] {
  const endpoints = new Map<string, Endpoint>();
  for (const reader of READERS) {
    // Who is asked is not known yet, so that no endpoint waits for another.
    for (const { path, from } of reader.endpoints) endpoints.set(`${from} ${path}`, { path, from });
  }
  return [...endpoints.values()];
}

/** The kind whose words these answers are, or null when they are no known kind's. */
export function detect(answers: Answers): KindReader | null {
  return READERS.find((reader) => reader.matches(answers)) ?? null;
}
