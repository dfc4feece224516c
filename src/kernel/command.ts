import type { ErrorCode } from "../base/errors.ts";
import type { BackendId, RequestId } from "../base/ids.ts";
import type { Receipt } from "../base/receipt.ts";
import type { Posting } from "../ledger/codec.ts";
import type { Address, Watch } from "./config.ts";

/** Send the request's body, so edited, to a backend, and watch it by these numbers. */
export interface Send {
  readonly kind: "send";
  readonly requestId: RequestId;
  readonly attempt: number;
  readonly backendId: BackendId;
  readonly upstreamModel: string;
  readonly edits: Edits;
  readonly watch: Watch;
}

/** Changes to the body; what is not named here passes as bytes. */
export interface Edits {
  /** The model name to put in, or null to leave it. */
  readonly model: string | null;
  /** Ask the upstream for usage in the stream, and hide it from the client who did not ask. */
  readonly forceUsage: boolean;
  /** What the engine needs besides the model's name to find an adapter or a rank; absent where it needs nothing. */
  readonly address?: Address;
}

/** Stop an attempt upstream: at once, or when it has not ended by itself within this time. */
export interface Abort {
  readonly kind: "abort";
  readonly requestId: RequestId;
  readonly attempt: number;
  /** 0 is at once. */
  readonly withinMs: number;
}

/** Release status and headers to the client; what came so far and what comes follows. */
export interface Commit {
  readonly kind: "commit";
  readonly requestId: RequestId;
  readonly attempt: number;
}

/** End the client's answer: well, or with an error. After a commit an error is one event and no `[DONE]`. */
export interface Answer {
  readonly kind: "answer";
  readonly requestId: RequestId;
  readonly attempt: number;
  readonly result:
    | { readonly ok: true }
    | {
        readonly ok: false;
        readonly code: ErrorCode;
        /** Pass on the upstream's own status and message of this attempt. */
        readonly relay: boolean;
        readonly retryAfterMs: number | null;
        /** What the message adds about this case, or null. */
        readonly detail: string | null;
      };
}

/** The call is this step of its run; what is sent to its client says so. Comes before everything else that is ordered for it. */
export interface Join {
  readonly kind: "join";
  readonly requestId: RequestId;
  readonly step: number;
}

/** Feed `woke` at this time. */
export interface Wake {
  readonly kind: "wake";
  readonly requestId: RequestId;
  readonly attempt: number;
  readonly atUs: number;
}

/** Put the receipt into the log (the embedded store until there is one); `appended` follows when it is durable. */
export interface Append {
  readonly kind: "append";
  readonly requestId: RequestId;
  readonly receipt: Receipt;
}

/** Project a settled receipt into the ledger, once per leaf index; `stored` follows. */
export interface Post {
  readonly kind: "post";
  readonly requestId: RequestId;
  readonly posting: Posting;
}

/** Ask the store for this much of a resource; `leased` follows. */
export interface Lease {
  readonly kind: "lease";
  readonly resource: string;
  readonly amount: number;
}

export type Command = Send | Abort | Commit | Answer | Join | Wake | Append | Post | Lease;
