import type { Receipt } from "../base/receipt.ts";

/**
 * A printer of receipts as JSON, for the journal and the store, which are given the same one in turn: the latest text is remembered,
 * so that it is made once. Owned by the composition root.
 */
export function receiptPrinter(): (receipt: Receipt) => string {
  let latest: Receipt | null = null;
  let text = "";
  return (receipt) => {
    if (receipt !== latest) {
      text = JSON.stringify(receipt);
      latest = receipt;
    }
    return text;
  };
}
