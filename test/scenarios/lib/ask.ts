import assert from "node:assert/strict";
import type { Figure, Receipt } from "../../../src/base/receipt.ts";
import { until } from "../../gateway-suite/check.ts";
import { Exchange } from "../../gateway-suite/client.ts";
import type { Baseload } from "./baseload.ts";

/** No single wait takes longer; generous, since other tests may run beside. */
const PATIENCE_MS = 20_000;

/** What the API answers for a settled receipt. */
export type SettledReceipt = Receipt & { readonly settled: true; readonly leafIndex: number };

/** How to ask. `fields` are added to the body. */
export interface Ask {
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text?: string;
}

/** A chat completion under way, read by the suite's own client. */
export function chat(server: Pick<Baseload, "baseUrl">, model: string, how: Ask = {}): Exchange {
  const messages = [{ role: "user", content: how.text ?? "Say something about power." }];
  return post(server, "/chat/completions", {
    body: JSON.stringify({ model, messages, ...how.fields }),
    ...(how.headers === undefined ? {} : { headers: how.headers }),
  });
}

/** Posts a body as it is to a path after `/v1`. */
export function post(
  server: Pick<Baseload, "baseUrl">,
  path: string,
  sending: { readonly body: string; readonly headers?: Readonly<Record<string, string>> },
): Exchange {
  return new Exchange({ url: server.baseUrl + path, patienceMs: PATIENCE_MS, ...sending });
}

/** The id of a response's receipt. */
export async function receiptIdOf(exchange: Exchange): Promise<string> {
  const { headers } = await exchange.head();
  const id = headers["x-baseload-receipt"];
  return typeof id === "string" ? id : assert.fail(`no x-baseload-receipt among ${JSON.stringify(headers)}`);
}

/** One look at a receipt: the status, and the receipt once it is settled. */
export async function lookAtReceipt(
  server: Pick<Baseload, "origin">,
  id: string,
  key?: string,
): Promise<{ readonly status: number; readonly receipt: SettledReceipt | null }> {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const response = await fetch(`${server.origin}/api/receipts/${id}`, { headers });
  const value: unknown = await response.json();
  return { status: response.status, receipt: response.status === 200 ? (value as SettledReceipt) : null };
}

/** The receipt, polled until it is settled. */
export function receiptOf(server: Pick<Baseload, "origin">, id: string, key?: string): Promise<SettledReceipt> {
  return until(
    async () => {
      const { status, receipt } = await lookAtReceipt(server, id, key);
      assert.ok(status === 200 || status === 202, `status ${status} for receipt ${id}`);
      return receipt ?? undefined;
    },
    { withinMs: PATIENCE_MS, orElse: `receipt ${id} was not settled` },
  );
}

/** Asserts a figure that is exactly known. */
export function assertExact(figure: Figure, value: number, method: Figure["method"]): void {
  assert.deepEqual(figure, { value, method, boundary: "request", low: value, high: value, final: true });
}

/** Asserts a figure that is unknown, which is not zero. */
export function assertUnknown(figure: Figure): void {
  assert.deepEqual([figure.value, figure.method, figure.low, figure.high], [null, "unknown", null, null]);
}
