import { closeSync, openSync, writeSync } from "node:fs";
import type { RequestId } from "../base/ids.ts";
import type { Receipt } from "../base/receipt.ts";
import { Metrics, type Standing } from "../live/metrics.ts";
import { RequestLog } from "../live/request-log.ts";

/** What is shown of a running Baseload besides its answers. Owned by the composition root. */
export interface Showing {
  receipt(receipt: Receipt): void;
  refused(code: string): void;
  turnedAway(limit: string): void;
  cameFrom(requestId: RequestId, clientAddress: string): void;
  metrics(standing: Standing): string;
  close(): void;
}

/**
 * Metrics and, where asked for, the request log: `none`, `stdout`, or a file that is appended to. Throws in words when the
 * file cannot be opened; a disk that fills later is said once by `log`, and does not stop requests.
 */
export function showing(requestLog: string, log: (line: string) => void): Showing {
  const metrics = new Metrics();
  const sink = requestLog === "none" ? null : openLog(requestLog, log);
  return {
    receipt: (receipt) => {
      metrics.record(receipt);
      sink?.lines.record(receipt);
    },
    refused: (code) => metrics.refused(code),
    turnedAway: (limit) => metrics.turnedAway(limit),
    cameFrom: (requestId, clientAddress) => sink?.lines.cameFrom(requestId, clientAddress),
    metrics: (standing) => metrics.text(standing),
    close: () => {
      sink?.lines.close();
      sink?.close();
    },
  };
}

function openLog(
  target: string,
  log: (line: string) => void,
): { readonly lines: RequestLog; readonly close: () => void } {
  if (target === "stdout") return { lines: new RequestLog((text) => process.stdout.write(text)), close: () => {} };
  const file = openFile(target);
  let failed = false;
  const write = (text: string): void => {
    try {
      writeSync(file, text);
      failed = false;
    } catch (error) {
      if (!failed) log(`the request log loses lines: ${error instanceof Error ? error.message : String(error)}`);
      failed = true;
    }
  };
  return { lines: new RequestLog(write), close: () => closeSync(file) };
}

function openFile(path: string): number {
  try {
    return openSync(path, "a", 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`telemetry.requestLog: ${path} cannot be written (${code}); correct the path`, { cause: error });
  }
}
