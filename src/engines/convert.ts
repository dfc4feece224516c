import type { SendOrder } from "../ports/engine.ts";
import { ConvertedReading } from "../wire/form/readings.ts";
import { type BackendShape, type ClientShape, isUnreadable, type Loss } from "../wire/form/shape.ts";
import type { AnswerReading } from "../wire/reading.ts";
import type { Inexpressible } from "./dialect.ts";

/** What happens to members of a request that a backend's API has no word for and that change what is meant. */
export type OnLoss = "refuse" | "drop";

/** A request in the backend's shape, and the reading that turns its answer into the client's. */
export interface Converted {
  readonly body: Readonly<Record<string, unknown>>;
  readonly reading: AnswerReading;
  readonly dropped: readonly string[];
}

/** Converts a client's request for a backend of another shape. */
export function convert(
  order: SendOrder,
  shapes: { readonly client: ClientShape; readonly backend: BackendShape; readonly onLoss: OnLoss },
): Converted | Inexpressible {
  const { client, backend, onLoss } = shapes;
  const asked: unknown = JSON.parse(order.body.toString("utf8"));
  const request = client.readRequest(asked);
  if (isUnreadable(request)) {
    return { kind: "inexpressible", code: "invalid_request", detail: `\`${request.param}\` ${request.detail}` };
  }
  const { body, losses } = backend.printRequest({ ...request, model: order.edits.model ?? request.model });
  const grave = losses.filter((loss) => !loss.isHint);
  if (onLoss === "refuse" && grave.length > 0) {
    return { kind: "inexpressible", code: "not_expressible", detail: grave.map(wordsOf).join("; ") };
  }
  const reading = new ConvertedReading(backend, client, {
    requestId: order.requestId,
    model: request.model,
    asked,
    createdSeconds: Math.floor(Date.now() / 1000),
    wantsUsage: order.wantsUsage,
  });
  return { body, reading, dropped: losses.map(({ path }) => path) };
}

function wordsOf({ path, why }: Loss): string {
  return `\`${path}\` (${why})`;
}
