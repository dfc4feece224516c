import type { CostLine, Figure, Receipt } from "../../base/receipt.ts";
import { holds } from "./violation.ts";

const UNITS_PER_PRICE = { token: 1_000_000n, millijoule: 3_600_000_000n } as const;

/** A receipt's figures: integers, inside their bounds, and a cost that is the sum of its lines, each recomputed here. */
export function checkReceipt(receipt: Receipt): void {
  const { tokens, time } = receipt;
  const figures = [receipt.costNanoUsd, receipt.energyMilliJoules, receipt.carbonMicrograms];
  for (const figure of [...Object.values(tokens), ...Object.values(time), ...figures]) checkFigure(receipt, figure);
  const sum = receipt.costLines.reduce((total, line) => total + line.amountNanoUsd, 0);
  const cost = receipt.costNanoUsd;
  const { receiptId } = receipt;
  if (cost.value === null) {
    holds(receipt.costLines.length === 0, "cost-lines", () => `${receiptId} has lines but no cost`);
  } else {
    holds(cost.value === sum, "cost-lines", () => `${receiptId} costs ${cost.value}, its lines ${sum}`);
  }
  const free = cost.value === 0 && receipt.costLines.length === 0;
  holds(
    !free || receipt.attempts.length === 0,
    "cost-lines",
    () => `${receiptId} was sent and is free without a reason`,
  );
  for (const line of receipt.costLines) checkLine(receiptId, line);
  const placed = (receipt.backendId === null) === (receipt.site === null);
  holds(placed, "cost-lines", () => `${receiptId} was at ${receipt.backendId} but at site ${receipt.site}`);
}

function checkFigure({ receiptId }: Receipt, { value, low, high, method }: Figure): void {
  if (value === null) {
    holds(method === "unknown", "cost-lines", () => `${receiptId}: an unknown figure says ${method}`);
    return;
  }
  // Only what was estimated, and only in part, may have no upper bound.
  const open =
    high === null &&
    (method === "default" || method === "electricity" || method === "price_list" || method === "provider_reported");
  const inside = low !== null && low <= value && (high === null ? open : value <= high);
  holds(
    Number.isSafeInteger(value) && value >= 0 && inside,
    "cost-lines",
    () => `${receiptId}: ${low}..${value}..${high}`,
  );
}

function checkLine(receiptId: string, { item, quantity, unit, priceNanoUsd, amountNanoUsd }: CostLine): void {
  if (unit === "nanousd" || priceNanoUsd === null) {
    holds(amountNanoUsd === quantity, "cost-lines", () => `${receiptId}: ${item} is not what was reported`);
    return;
  }
  const divisor = UNITS_PER_PRICE[unit];
  const exact = (2n * BigInt(quantity) * BigInt(priceNanoUsd) + divisor) / (2n * divisor);
  holds(BigInt(amountNanoUsd) === exact, "cost-lines", () => `${receiptId}: ${item} is ${amountNanoUsd}, not ${exact}`);
}
