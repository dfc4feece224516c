import type { Endpoint } from "../base/job.ts";

/** Where requests for models come in, and as what; batches may ask the same. */
export const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  "/v1/chat/completions": "chat",
  "/v1/responses": "responses",
  "/v1/embeddings": "embeddings",
  "/v1/completions": "completions",
};
