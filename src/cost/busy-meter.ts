import { assert } from "../base/assert.ts";

/**
 * Shares a backend's declared watts over the time it is busy among the requests that it holds at once, equally, in whole
 * microjoules. Conserves: shares handed out plus the remainder equal watts × busy microseconds. Idle time belongs to nobody.
 * Owned by the kernel's state of one backend; plain data, so that it can be put into a snapshot.
 */
export interface BusyMeter {
  /** Microjoules that a request which was there all the time would have been given. */
  perHeadMicroJoules: number;
  /** Microjoules not yet handed out, less than one a head. */
  remainderMicroJoules: number;
  heads: number;
  lastUs: number;
}

/** A meter of a backend that holds nothing yet. */
export function newBusyMeter(nowUs: number): BusyMeter {
  return { perHeadMicroJoules: 0, remainderMicroJoules: 0, heads: 0, lastUs: nowUs };
}

function advance(meter: BusyMeter, nowUs: number, watts: number): void {
  assert(nowUs >= meter.lastUs, "busy meter: time went back");
  if (meter.heads > 0) {
    const pool = watts * (nowUs - meter.lastUs) + meter.remainderMicroJoules;
    const share = Math.floor(pool / meter.heads);
    meter.perHeadMicroJoules += share;
    meter.remainderMicroJoules = pool - share * meter.heads;
    assert(Number.isSafeInteger(meter.perHeadMicroJoules), "busy meter overflows");
  }
  meter.lastUs = nowUs;
}

/** A request joins; returns its mark, to be given to `leaveBusy`. `watts` is a whole number. */
export function joinBusy(meter: BusyMeter, nowUs: number, watts: number): number {
  advance(meter, nowUs, watts);
  if (meter.heads === 0) meter.perHeadMicroJoules = 0;
  meter.heads += 1;
  return meter.perHeadMicroJoules;
}

/** The request with this mark leaves; returns its share in microjoules. */
export function leaveBusy(meter: BusyMeter, nowUs: number, options: { watts: number; mark: number }): number {
  advance(meter, nowUs, options.watts);
  assert(meter.heads > 0, "busy meter: nobody is there to leave");
  meter.heads -= 1;
  const share = meter.perHeadMicroJoules - options.mark;
  assert(share >= 0, "busy meter: negative share");
  return share;
}
