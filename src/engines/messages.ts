import type { SendOrder } from "../ports/engine.ts";
import { CountReading } from "../wire/anthropic/count.ts";
import { PassedReading } from "../wire/form/readings.ts";
import { SHAPES } from "../wire/shapes.ts";
import type { UpstreamRequest } from "./dialect.ts";
import { SSE_FRAMING } from "./framing.ts";

/**
 * The version of Anthropic's API that is spoken where the client names none. The later one, 2026-10-21, has no temperature, top_p
 * and top_k, so a request that was converted could not ask for them.
 */
const ANTHROPIC_VERSION = "2023-06-01";

/** The header that names it, as a flat list. */
export const VERSION_HEADER: readonly string[] = ["anthropic-version", ANTHROPIC_VERSION];

/** Where Anthropic's Messages API stands below a base URL. */
export const MESSAGES_PATH = "/messages";

/** A request of Anthropic's API for a server that has it itself, of the client's bytes as they were edited. */
export function nativeMessages(
  { endpoint, headers }: SendOrder,
  { auth, body }: { readonly auth: readonly string[]; readonly body: Buffer },
): UpstreamRequest {
  const isCount = endpoint === "count_tokens";
  const beta = headers["anthropic-beta"];
  return {
    path: isCount ? `${MESSAGES_PATH}/count_tokens` : MESSAGES_PATH,
    headers: [
      ...auth,
      "anthropic-version",
      headers["anthropic-version"] ?? ANTHROPIC_VERSION,
      ...(beta === undefined ? [] : ["anthropic-beta", beta]),
    ],
    body,
    reading: isCount ? new CountReading() : new PassedReading(SHAPES.messages),
    framing: SSE_FRAMING,
    dropped: [],
  };
}
