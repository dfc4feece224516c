import { parentPort, workerData } from "node:worker_threads";
import { present } from "../base/assert.ts";
import type { FromWorker, ToWorker } from "./sqlite-messages.ts";
import { SqliteLedger } from "./sqlite-ledger.ts";

// The worker thread of `SqliteStore`: one message in, one answer out, in order.
const port = present(parentPort, "this file is a worker");
const answer = (message: FromWorker): void => port.postMessage(message);
const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function open(): SqliteLedger | null {
  try {
    const ledger = new SqliteLedger((workerData as { readonly path: string }).path);
    answer({ kind: "opened" });
    return ledger;
  } catch (error) {
    answer({ kind: "failed", message: wordsOf(error) });
    return null;
  }
}

const ledger = open();

port.on("message", (message: ToWorker) => {
  if (ledger === null) return;
  if (message.kind === "close") {
    ledger.close();
    port.close();
  } else if (message.kind === "read") {
    try {
      answer({ kind: "read", id: message.id, found: ledger.read(message.receiptId), error: null });
    } catch (error) {
      answer({ kind: "read", id: message.id, found: null, error: wordsOf(error) });
    }
  } else if (message.kind === "ask") {
    try {
      answer({ kind: "told", id: message.id, value: ledger.runs.answer(message.query), error: null });
    } catch (error) {
      answer({ kind: "told", id: message.id, value: null, error: wordsOf(error) });
    }
  } else {
    try {
      answer({ kind: "committed", firstLeafIndex: ledger.commit(message.group) });
    } catch (error) {
      answer({ kind: "refused", message: wordsOf(error) });
    }
  }
});
