import type { ErrorCode } from "../../src/base/errors.ts";
import type { BackendId, RequestId } from "../../src/base/ids.ts";
import type { Endpoint } from "../../src/base/job.ts";
import { type ModelView, UNKNOWN_MODEL } from "../../src/base/model.ts";
import type { BackendView } from "../../src/kernel/view.ts";
import type { ConnectionLimit, Desk, RunPage } from "../../src/ports/desk.ts";
import type { Exchange, ExchangeOwner } from "../../src/ports/exchange.ts";
import type { PageOf, RecentRun, StoredReceipt } from "../../src/ports/store.ts";

/** A model of which nothing is known but what is given. */
export function modelViewOf(model: string, given: Partial<ModelView> = {}): ModelView {
  return {
    model,
    aliases: [],
    aliasOf: [],
    backendIds: ["a"],
    ...UNKNOWN_MODEL,
    price: null,
    ...given,
  };
}

/** A desk that does as the test says. */
export class FakeDesk implements Desk {
  readonly exchanges: Exchange[] = [];
  readonly gone: RequestId[] = [];
  readonly goneCodes: Parameters<ExchangeOwner["gone"]>[0][] = [];
  /** A run by tenant and id, and the pages that were asked for. */
  readonly runPages = new Map<string, RunPage>();
  readonly pagesAsked: PageOf[] = [];
  recentRuns: readonly RecentRun[] = [];
  readonly receipts = new Map<RequestId, StoredReceipt | "pending">();
  storeTrouble: string | null = null;
  warnings: readonly string[] = [];
  stopping = false;
  readonly refusals: ErrorCode[] = [];
  readonly limits: ConnectionLimit[] = [];
  readonly addresses = new Map<RequestId, string>();
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
  /** The models, and whom they were asked for. */
  modelViews: readonly ModelView[] = [
    modelViewOf("m", { contextTokens: 4096, aliases: ["other"] }),
    modelViewOf("org/m 2"),
  ];
  readonly modelsFor: Parameters<Desk["models"]>[0][] = [];
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

  models(holder: Parameters<Desk["models"]>[0]): readonly ModelView[] {
    this.modelsFor.push(holder);
    return this.modelViews;
  }

  /** Endpoints that the model `m` is served at. */
  endpoints: readonly Endpoint[] = ["chat", "completions", "messages"];

  serves(_holder: Parameters<Desk["models"]>[0], model: string, endpoint: Endpoint): boolean {
    return model === "m" && this.endpoints.includes(endpoint);
  }

  countTokens(text: string): number {
    return text.length;
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

  async run(tenant: string, runId: string, page: PageOf): Promise<RunPage | null> {
    if (!this.canRead) throw new Error("the disk is gone");
    this.pagesAsked.push(page);
    return this.runPages.get(`${tenant} ${runId}`) ?? null;
  }

  async runs(_tenant: string, limit: number): Promise<readonly RecentRun[]> {
    if (!this.canRead) throw new Error("the disk is gone");
    return this.recentRuns.slice(0, limit);
  }

  metrics(): string {
    return "# no metrics\n";
  }

  refused(code: ErrorCode): void {
    this.refusals.push(code);
  }

  turnedAway(by: ConnectionLimit): void {
    this.limits.push(by);
  }

  cameFrom(requestId: RequestId, clientAddress: string): void {
    this.addresses.set(requestId, clientAddress);
  }

  mint(): RequestId {
    if (this.isBroken) throw new TypeError("a mistake of ours");
    this.#minted += 1;
    return `018bcfe5-6800-7000-8000-${String(this.#minted).padStart(12, "0")}`;
  }
}
