import { request } from "undici";
import type { Figure, Receipt } from "../../base/receipt.ts";
import type { ReceiptNote } from "./receipt-sample.ts";
import type { ReceiptTotals } from "./receipt-totals.ts";

/** Where questions besides the load go, and with which key. */
export interface Address {
  readonly origin: string;
  readonly basePath: string;
  readonly key: string | null;
}

const ASK_MS = 10_000;
const READERS = 16;
/** A receipt that is not stored yet is asked for again after this, and at most for as long as this. */
const AGAIN_MS = 100;
const SETTLE_MS = 15_000;
/** After so many refusals and no receipt, the others are not asked for. */
const HOPELESS = READERS;

/**
 * The names that `GET /models` lists, or null when it lists none. Throws when nothing answers at all, so that a wrong address
 * is told before the load starts.
 */
export async function listModels(address: Address): Promise<readonly string[] | null> {
  const url = `${address.origin}${address.basePath}/models`;
  let body: unknown;
  try {
    const response = await request(url, { headers: authorization(address), signal: AbortSignal.timeout(ASK_MS) });
    body = response.statusCode === 200 ? await response.body.json() : await response.body.dump();
  } catch (error) {
    // An answer that is no JSON is an answer: only the load can tell whether the endpoint works.
    if (error instanceof SyntaxError) return null;
    const reason = error instanceof Error ? ((error as { code?: unknown }).code ?? error.name) : error;
    throw new Error(`nothing answers at ${url}: ${String(reason)}`, { cause: error });
  }
  const data = member(body, "data");
  if (!Array.isArray(data)) return null;
  return data.flatMap((model: unknown) => {
    const id = member(model, "id");
    return typeof id === "string" ? [id] : [];
  });
}

/** How reading the receipts went. */
export interface ReceiptsRead {
  readonly read: number;
  readonly missing: number;
  /** Why the first missing one is, or null. */
  readonly reason: string | null;
}

/** Reads receipts into `totals` until `signal` ends it; `progress` is told how many are done. */
export async function readReceipts(
  address: Address,
  notes: readonly ReceiptNote[],
  into: { readonly totals: ReceiptTotals; readonly signal: AbortSignal; readonly progress: (done: number) => void },
): Promise<ReceiptsRead> {
  const root = `${address.origin}${address.basePath.replace(/\/v1$/, "")}/api/receipts/`;
  const deadline = performance.now() + SETTLE_MS;
  let at = 0;
  let read = 0;
  let refused = 0;
  let reason: string | null = null;
  const reader = async (): Promise<void> => {
    while (at < notes.length && !into.signal.aborted && (read > 0 || refused < HOPELESS)) {
      const note = notes[at++] as ReceiptNote;
      const receipt = await readReceipt(`${root}${note.id}`, address, { deadline, signal: into.signal });
      if (typeof receipt === "string") {
        refused += 1;
        reason ??= receipt;
      } else {
        read += 1;
        into.totals.add(receipt, note.useful);
      }
      into.progress(read + refused);
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  return { read, missing: notes.length - read, reason: into.signal.aborted ? "interrupted" : reason };
}

/** The receipt, or why there is none. */
async function readReceipt(
  url: string,
  address: Address,
  until: { readonly deadline: number; readonly signal: AbortSignal },
): Promise<Receipt | string> {
  try {
    for (;;) {
      const signal = AbortSignal.any([until.signal, AbortSignal.timeout(ASK_MS)]);
      const { statusCode, body } = await request(url, { headers: authorization(address), signal });
      const value: unknown = await body.json();
      if (statusCode === 200) return isReceipt(value) ? value : "not a receipt of schema version 1";
      if (statusCode !== 202) return `status ${statusCode}`;
      if (performance.now() > until.deadline) return "not stored yet";
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function authorization(address: Address): Record<string, string> {
  return address.key === null ? {} : { authorization: `Bearer ${address.key}` };
}

/** Whether what is read of a receipt here is there: it comes from a server that may be newer or none of ours. */
function isReceipt(value: unknown): value is Receipt {
  const figures = [
    member(value, "energyMilliJoules"),
    member(value, "costNanoUsd"),
    member(value, "carbonMicrograms"),
    member(member(value, "tokens"), "output"),
    member(member(value, "time"), "queueUs"),
  ];
  return member(value, "schemaVersion") === 1 && figures.every(isFigure);
}

function isFigure(value: unknown): value is Figure {
  const number = (name: string): boolean => member(value, name) === null || typeof member(value, name) === "number";
  return number("value") && number("low") && number("high") && typeof member(value, "method") === "string";
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
