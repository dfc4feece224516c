import type { ErrorCode } from "../base/errors.ts";
import type { BackendId, RequestId } from "../base/ids.ts";
import type { BackendView, ModelView } from "../kernel/view.ts";
import type { Admission } from "./exchange.ts";
import type { StoredReceipt } from "./store.ts";

/** What the gateway asks of the utility: to take requests, and to say how things stand. */
export interface Desk extends Admission {
  models(): readonly ModelView[];
  /** What a model's own file says of it, in the fields of `meta` in /v1/models; null where Baseload has no such file. */
  modelMeta(model: string): Readonly<Record<string, string | number | boolean | null>> | null;
  backends(): readonly BackendView[];
  /** Keeps new requests from a backend, or gives it back to them; one that is not there is left alone. */
  cordon(backendId: BackendId, cordoned: boolean): void;
  /** A settled receipt, `pending` while its commit has not returned, or null when this tenant has none. Rejects when the store cannot read. */
  receipt(receiptId: RequestId, tenant: string): Promise<StoredReceipt | "pending" | null>;
  /** The metrics in Prometheus' text format. */
  metrics(): string;
  /** A request was refused before it became an exchange. */
  refused(code: ErrorCode): void;
  /** What is wrong with the store, or null. */
  readonly storeTrouble: string | null;
  /** What the operator should know and no request suffers from, such as a configuration file that is not in force. */
  readonly warnings: readonly string[];
  /** True once it takes no more requests. */
  readonly stopping: boolean;
  /** A new request's id at this wall time. */
  mint(wallMs: number): RequestId;
}
