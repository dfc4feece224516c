/** The live clock: integer monotonic microseconds since the process started, and wall time. */
export interface Clock {
  nowUs(): number;
  wallMs(): number;
}

/** The clocks of this machine. */
export const systemClock: Clock = {
  nowUs: () => Math.floor(performance.now() * 1000),
  wallMs: () => Date.now(),
};
