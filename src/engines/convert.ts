import type { SendOrder } from "../ports/engine.ts";
import { ConvertedEmbeddingsReading } from "../wire/embeddings/reading.ts";
import { type EmbeddingsShape, readEmbeddingsRequest } from "../wire/embeddings/form.ts";
import { ConvertedReading } from "../wire/form/readings.ts";
import { type BackendShape, type ClientShape, isUnreadable, type Loss, type Unreadable } from "../wire/form/shape.ts";
import type { AnswerReading } from "../wire/reading.ts";
import { isConversation, SHAPES } from "../wire/shapes.ts";
import type { Inexpressible } from "./dialect.ts";

/** What happens to members of a request that a backend's API has no word for and that change what is meant. */
export type OnLoss = "refuse" | "drop";

/** A request in the backend's shape, and the reading that turns its answer into the client's. */
export interface Converted {
  /** The model's name at the backend. */
  readonly model: string;
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
  if (isUnreadable(request)) return unreadable(request);
  const model = order.edits.model ?? request.model;
  const { body, losses } = backend.printRequest({ ...request, model });
  const refusal = refusalOf(losses, onLoss);
  if (refusal !== null) return refusal;
  const repeats = order.repeats ?? null;
  const reading = new ConvertedReading(backend, client, {
    requestId: order.requestId,
    model: request.model,
    asked: repeats === null ? asked : { ...(asked as object), ...repeats },
    createdSeconds: Math.floor(Date.now() / 1000),
    wantsUsage: order.wantsUsage,
  });
  return { model, body, reading, dropped: losses.map(({ path }) => path) };
}

/** Converts a client's request, of whatever shape, for a backend that has one shape of its own. */
export function convertFor(order: SendOrder, backend: BackendShape, onLoss: OnLoss): Converted | Inexpressible {
  if (isConversation(order.endpoint)) return convert(order, { client: SHAPES[order.endpoint], backend, onLoss });
  const detail = `the endpoint ${order.endpoint} (this backend's API has nothing like it)`;
  return { kind: "inexpressible", code: "not_expressible", detail };
}

/** Converts a request for embeddings. What is lost of it cannot be left out: fewer texts would be another answer. */
export function convertEmbeddings(
  order: SendOrder,
  shapeOf: (model: string) => EmbeddingsShape | null,
): Converted | Inexpressible {
  const request = readEmbeddingsRequest(JSON.parse(order.body.toString("utf8")));
  if ("kind" in request) return unreadable(request);
  const model = order.edits.model ?? request.model;
  const shape = shapeOf(model);
  if (shape === null) {
    const detail = "embeddings by this model (its maker's words for them are not known)";
    return { kind: "inexpressible", code: "not_expressible", detail };
  }
  const { body, losses } = shape.print({ ...request, model });
  const refusal = refusalOf(losses, "refuse");
  if (refusal !== null) return refusal;
  const reading = new ConvertedEmbeddingsReading(shape, request);
  return { model, body, reading, dropped: losses.map(({ path }) => path) };
}

function unreadable({ param, detail }: Unreadable): Inexpressible {
  return { kind: "inexpressible", code: "invalid_request", detail: `\`${param}\` ${detail}` };
}

/** The refusal of a request of which something would be lost, where that is what is wanted. */
function refusalOf(losses: readonly Loss[], onLoss: OnLoss): Inexpressible | null {
  const grave = losses.filter((loss) => !loss.isHint);
  if (onLoss === "drop" || grave.length === 0) return null;
  return { kind: "inexpressible", code: "not_expressible", detail: grave.map(wordsOf).join("; ") };
}

function wordsOf({ path, why }: Loss): string {
  return `\`${path}\` (${why})`;
}
