import { assert } from "../base/assert.ts";

/**
 * Shares a backend's declared watts over the time it is busy among the requests that it holds at once, equally, in whole
 * microjoules. Conserves: shares handed out plus the remainder equal watts × busy microseconds. Idle time belongs to nobody.
 * Owned by the kernel's state of one backend; plain data, so that it can be put into a snapshot.
 */
export interface BusyMeter {
  /** Microjoules that a request which was there all the time would have been given, modulo 2^52. */
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

// The sum per head goes round here: a node of 10 kW that is never idle would leave the safe integers within two weeks. A
// share is a difference of two sums, so it stays right as long as no single request is given this much (4.5 GJ).
const WRAP_MICROJOULES = 2 ** 52;

/** Brings the meter to `nowUs` at these watts. To be called with the old watts before they change. */
export function advanceBusy(meter: BusyMeter, nowUs: number, watts: number): void {
  assert(nowUs >= meter.lastUs, "busy meter: time went back");
  if (meter.heads > 0) {
    const pool = watts * (nowUs - meter.lastUs) + meter.remainderMicroJoules;
    const share = Math.floor(pool / meter.heads);
    assert(Number.isSafeInteger(pool), "busy meter overflows");
    meter.perHeadMicroJoules = (meter.perHeadMicroJoules + share) % WRAP_MICROJOULES;
    meter.remainderMicroJoules = pool - share * meter.heads;
  }
  meter.lastUs = nowUs;
}

/** A request joins; returns its mark, to be given to `leaveBusy`. `watts` is a whole number. */
export function joinBusy(meter: BusyMeter, nowUs: number, watts: number): number {
  advanceBusy(meter, nowUs, watts);
  if (meter.heads === 0) meter.perHeadMicroJoules = 0;
  meter.heads += 1;
  return meter.perHeadMicroJoules;
}

/** The request with this mark leaves; returns its share in microjoules. */
export function leaveBusy(meter: BusyMeter, nowUs: number, options: { watts: number; mark: number }): number {
  advanceBusy(meter, nowUs, options.watts);
  assert(meter.heads > 0, "busy meter: nobody is there to leave");
  meter.heads -= 1;
  const { mark } = options;
  assert(mark >= 0 && mark < WRAP_MICROJOULES, `busy meter: bad mark ${mark}`);
  return (meter.perHeadMicroJoules - mark + WRAP_MICROJOULES) % WRAP_MICROJOULES;
}
