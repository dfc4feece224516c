import type { ErrorCode } from "../../src/base/errors.ts";
import type { BackendId, RequestId } from "../../src/base/ids.ts";
import type { BackendView, ModelView } from "../../src/kernel/view.ts";
import type { Desk } from "../../src/ports/desk.ts";
import type { Exchange, ExchangeOwner } from "../../src/ports/exchange.ts";
import type { StoredReceipt } from "../../src/ports/store.ts";

/** A desk that does as the test says. */
export class FakeDesk implements Desk {
  readonly exchanges: Exchange[] = [];
  readonly gone: RequestId[] = [];
  readonly goneCodes: Parameters<ExchangeOwner["gone"]>[0][] = [];
  readonly receipts = new Map<RequestId, StoredReceipt | "pending">();
  storeTrouble: string | null = null;
  warnings: readonly string[] = [];
  stopping = false;
  readonly refusals: ErrorCode[] = [];
  canRead = true;
  /** True makes the door stumble over a mistake of ours. */
  isBroken = false;
  states: BackendView["state"][] = ["up"];
  /** What is done with a request; answers with its model's name unless it is set. */
  onArrive: (exchange: Exchange) => void = (exchange) => {
    exchange.write(Buffer.from(exchange.job.stream ? "data: [DONE]\n\n" : `{"model":"${exchange.job.model}"}`));
    exchange.commit();
    exchange.end();
  };
  /** Backends that are cordoned, and what each of them holds. */
  readonly cordons = new Set<BackendId>();
  inFlight = 0;
  /** What every backend's engine says. */
  engine: BackendView["engine"] = null;
  #minted = 0;

  arrive(exchange: Exchange): ExchangeOwner {
    this.exchanges.push(exchange);
    this.onArrive(exchange);
    return {
      drained: () => {},
      gone: (code) => {
        this.gone.push(exchange.job.requestId);
        this.goneCodes.push(code);
      },
    };
  }

  modelMeta(model: string): { readonly layers: number } | null {
    return model === "m" ? { layers: 3 } : null;
  }

  models(): readonly ModelView[] {
    return [
      { model: "m", backendIds: ["a"], contextTokens: 4096 },
      { model: "org/m 2", backendIds: ["a"], contextTokens: null },
    ];
  }

  backends(): readonly BackendView[] {
    return this.states.map((state, index) => ({
      backendId: `b${index}`,
      site: "here",
      layer: "device",
      state,
      cordoned: this.cordons.has(`b${index}`),
      inFlight: this.inFlight,
      capacity: null,
      engine: this.engine,
    }));
  }

  cordon(backendId: BackendId, cordoned: boolean): void {
    if (cordoned) this.cordons.add(backendId);
    else this.cordons.delete(backendId);
  }

  async receipt(receiptId: RequestId, tenant: string): Promise<StoredReceipt | "pending" | null> {
    if (!this.canRead) throw new Error("the disk is gone");
    const found = this.receipts.get(receiptId) ?? null;
    const isTheirs = found === null || found === "pending" || found.receipt.principal.tenant === tenant;
    return isTheirs ? found : null;
  }

  metrics(): string {
    return "# no metrics\n";
  }

  refused(code: ErrorCode): void {
    this.refusals.push(code);
  }

  mint(): RequestId {
    if (this.isBroken) throw new TypeError("a mistake of ours");
    this.#minted += 1;
    return `018bcfe5-6800-7000-8000-${String(this.#minted).padStart(12, "0")}`;
  }
}
