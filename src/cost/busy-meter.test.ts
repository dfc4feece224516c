import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { advanceBusy, joinBusy, leaveBusy, newBusyMeter } from "./busy-meter.ts";

const steps = fc.array(
  fc.record({ waitUs: fc.nat(1_000_000), leaves: fc.boolean(), watts: fc.option(fc.integer({ min: 0, max: 20_000 })) }),
  { maxLength: 60 },
);

test("shares handed out and the remainder are exactly watts times busy time, whatever joins, leaves and changes", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const meter = newBusyMeter(0);
      const marks: number[] = [];
      let watts = 500;
      let nowUs = 0;
      let drawn = 0;
      let shared = 0;
      const leave = (): void => void (shared += leaveBusy(meter, nowUs, { watts, mark: marks.shift() ?? 0 }));
      for (const step of all) {
        nowUs += step.waitUs;
        if (marks.length > 0) drawn += watts * step.waitUs;
        if (step.watts !== null) {
          advanceBusy(meter, nowUs, watts);
          watts = step.watts;
        }
        if (step.leaves && marks.length > 0) leave();
        else marks.push(joinBusy(meter, nowUs, watts));
      }
      while (marks.length > 0) leave();
      assert.equal(meter.heads, 0);
      assert.equal(shared + meter.remainderMicroJoules, drawn);
    }),
  );
});

test("idle time belongs to nobody", () => {
  const meter = newBusyMeter(0);
  const first = joinBusy(meter, 0, 10);
  assert.equal(leaveBusy(meter, 5, { watts: 10, mark: first }), 50);
  const second = joinBusy(meter, 1_000, 10);
  assert.equal(leaveBusy(meter, 1_001, { watts: 10, mark: second }), 10);
});

test("a node that is never idle for a year goes on metering right", () => {
  const meter = newBusyMeter(0);
  const hourUs = 3_600_000_000;
  const watts = 100_000;
  let mark = joinBusy(meter, 0, watts);
  for (let hour = 1; hour <= 24 * 365; hour += 1) {
    const next = joinBusy(meter, hour * hourUs, watts);
    assert.equal(leaveBusy(meter, hour * hourUs, { watts, mark }), watts * hourUs);
    mark = next;
  }
});

test("time that goes back and a departure from nowhere are mistakes", () => {
  const meter = newBusyMeter(10);
  assert.throws(() => joinBusy(meter, 9, 1), /time went back/);
  assert.throws(() => leaveBusy(meter, 10, { watts: 1, mark: 0 }), /nobody is there/);
});
