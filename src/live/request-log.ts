import type { RequestId } from "../base/ids.ts";
import type { Receipt } from "../base/receipt.ts";

const FLUSH_EVERY_MS = 200;
const FLUSH_LENGTH = 64 * 1024;

/**
 * One JSON line a request, made from its receipt, so never a body or a key; written in batches. Owns the batch and what is
 * known of open requests besides; whoever made it calls `close` at the end.
 */
export class RequestLog {
  readonly #write: (text: string) => void;
  readonly #timer: NodeJS.Timeout;
  /** Of requests whose receipt is not made yet: receipts and the journal hold no addresses. */
  readonly #addresses = new Map<RequestId, string>();
  #text = "";

  constructor(write: (text: string) => void) {
    this.#write = write;
    this.#timer = setInterval(() => this.#flush(), FLUSH_EVERY_MS);
    this.#timer.unref();
  }

  /** Who sends a request that will have a receipt; its line says it. */
  cameFrom(requestId: RequestId, clientAddress: string): void {
    this.#addresses.set(requestId, clientAddress);
  }

  record(receipt: Receipt): void {
    const clientAddress = this.#addresses.get(receipt.receiptId);
    if (clientAddress !== undefined) this.#addresses.delete(receipt.receiptId);
    this.#text += `${JSON.stringify(lineOf(receipt, clientAddress))}\n`;
    if (this.#text.length >= FLUSH_LENGTH) this.#flush();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#flush();
  }

  #flush(): void {
    if (this.#text === "") return;
    const text = this.#text;
    this.#text = "";
    this.#write(text);
  }
}

/** What one line says; the receipt says the rest. An address that is undefined is left out. */
function lineOf(receipt: Receipt, clientAddress: string | undefined): object {
  return {
    time: new Date(receipt.arrivedWallMs).toISOString(),
    receiptId: receipt.receiptId,
    tenant: receipt.principal.tenant,
    key: receipt.principal.key,
    clientAddress,
    class: receipt.class,
    endpoint: receipt.endpoint,
    stream: receipt.stream,
    model: receipt.model,
    backendId: receipt.backendId,
    site: receipt.site,
    outcome: receipt.outcome,
    code: receipt.code,
    runId: receipt.runId,
    step: receipt.step,
    attempts: receipt.attempts.length,
    inputTokens: receipt.tokens.input.value,
    outputTokens: receipt.tokens.output.value,
    queueUs: receipt.time.queueUs.value,
    ttftUs: receipt.time.ttftUs.value,
    e2eUs: receipt.time.e2eUs.value,
    costNanoUsd: receipt.costNanoUsd.value,
    energyMilliJoules: receipt.energyMilliJoules.value,
  };
}
