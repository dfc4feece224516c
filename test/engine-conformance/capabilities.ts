import { describe } from "node:test";
import type { CapabilityTarget } from "./capability.ts";
import { cachedTokensConformance } from "./capability-cached-tokens.ts";
import { embeddingsConformance } from "./capability-embeddings.ts";
import { imagesConformance } from "./capability-images.ts";
import { jsonSchemaConformance } from "./capability-json-schema.ts";
import { logprobsConformance } from "./capability-logprobs.ts";
import { stopConformance } from "./capability-stop.ts";
import { streamOrderConformance } from "./capability-stream-order.ts";
import { toolsConformance } from "./capability-tools.ts";

/** Every optional capability; `target` is asked for when a test runs. */
export function capabilitiesConformance(target: () => CapabilityTarget): void {
  describe("tools", () => toolsConformance(target));
  describe("JSON by schema", () => jsonSchemaConformance(target));
  describe("logprobs", () => logprobsConformance(target));
  describe("embeddings", () => embeddingsConformance(target));
  describe("pictures", () => imagesConformance(target));
  describe("stop sequences", () => stopConformance(target));
  describe("the order of a stream", () => streamOrderConformance(target));
  describe("cached tokens", () => cachedTokensConformance(target));
}
