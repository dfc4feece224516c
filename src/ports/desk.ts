import type { ErrorCode } from "../base/errors.ts";
import type { BackendId, RequestId } from "../base/ids.ts";
import type { Endpoint } from "../base/job.ts";
import type { ModelView } from "../base/model.ts";
import type { BackendView } from "../kernel/view.ts";
import type { Admission } from "./exchange.ts";
import type { RunView } from "../kernel/runs.ts";
import type { PageOf, RecentRun, StoredReceipt } from "./store.ts";

/** A run and some of its receipts; `next` is what `after` of the next page must be, or null when there is none. */
export interface RunPage {
  readonly run: RunView;
  readonly receipts: readonly StoredReceipt[];
  readonly next: number | null;
}

/** A limit on connections, be they too many, or slow to send or to read. */
export type ConnectionLimit = "max_connections" | "max_connections_per_client" | "upload_timeout" | "client_idle";

/** What the gateway asks of the utility: to take requests, and to say how things stand. */
export interface Desk extends Admission {
  /** The models that the holder of a key may ask for. */
  models(holder: { readonly tenant: string; readonly key: string | null }): readonly ModelView[];
  /** What a model's own file says of it, in the fields of `meta` in /v1/models; null where Baseload has no such file. */
  modelMeta(model: string): Readonly<Record<string, string | number | boolean | null>> | null;
  backends(): readonly BackendView[];
  /** Whether some backend serves this model at this endpoint to the holder of a key. */
  serves(holder: { readonly tenant: string; readonly key: string | null }, model: string, endpoint: Endpoint): boolean;
  /** Counts a text's tokens; an estimate, since the model's own tokenizer may be another. */
  countTokens(text: string): number;
  /** Keeps new requests from a backend, or gives it back to them; one that is not there is left alone. */
  cordon(backendId: BackendId, cordoned: boolean): void;
  /** A settled receipt, `pending` while its commit has not returned, or null when this tenant has none. Rejects when the store cannot read. */
  receipt(receiptId: RequestId, tenant: string): Promise<StoredReceipt | "pending" | null>;
  /** A run of this tenant, or null when it has none of this id. Rejects when the store cannot read. */
  run(tenant: string, runId: string, page: PageOf): Promise<RunPage | null>;
  /** The tenant's latest runs. Rejects when the store cannot read. */
  runs(tenant: string, limit: number): Promise<readonly RecentRun[]>;
  /** The metrics in Prometheus' text format. */
  metrics(): string;
  /** A request was refused before it became an exchange. */
  refused(code: ErrorCode): void;
  /** A connection was ended by a limit, or a request that a proxy brought over a shared one; it may or may not have been told why. */
  turnedAway(by: ConnectionLimit): void;
  /** Who sends the request that arrives next, for the request log; called only where the operator wants addresses in it. */
  cameFrom(requestId: RequestId, clientAddress: string): void;
  /** What is wrong with the store, or null. */
  readonly storeTrouble: string | null;
  /** What the operator should know and no request suffers from, such as a configuration file that is not in force. */
  readonly warnings: readonly string[];
  /** True once it takes no more requests. */
  readonly stopping: boolean;
  /** A new request's id at this wall time. */
  mint(wallMs: number): RequestId;
}
