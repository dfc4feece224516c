import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { findAccelerator, findModel, findPrecision } from "../../catalog/lookup.ts";
import { type Chip, chipOf } from "../../catalog/machine.ts";
import { capacityOf } from "../../cost/capacity.ts";
import { compile, type Deployment, type Parallelism, type Placement } from "../../cost/deployment.ts";
import { serveDisaggregated } from "../../cost/disaggregated.ts";
import { wattsOf } from "../../cost/power.ts";
import { type Load, serve, steadyState } from "../../cost/serving.ts";
import { type BatchState, step } from "../../cost/step.ts";
import { loadCatalog } from "../catalog/load.ts";

const catalog = loadCatalog(null);

function named<T>(value: T | null): T {
  assert.ok(value !== null);
  return value;
}

interface Names {
  readonly model: string;
  readonly on: string;
  readonly precision?: string;
  readonly parallelism?: Parallelism;
}

function placement({ model, on, precision = "fp8", parallelism = { tp: 8, dp: 1, pp: 1 } }: Names): Placement {
  return {
    model: named(findModel(catalog, model)),
    precision: named(findPrecision(catalog, precision)),
    chip: chipOf(catalog, named(findAccelerator(catalog, on))),
    parallelism,
    engine: "vllm",
  };
}

function deployed(of: Placement): Deployment {
  const compiled = compile(of);
  assert.ok("deployment" in compiled, JSON.stringify(compiled));
  return compiled.deployment;
}

const MODELS = ["llama-3.1-8b", "llama-3.1-70b", "deepseek-v3", "gpt-oss-120b", "qwen3.5-397b-a17b", "gemma-3-27b"];
const CHIPS = ["h100", "h200", "b200", "mi355x", "a100", "trn2", "tpu-v6e", "rtx-5090", "m3-ultra", "dgx-spark"];

const names = fc.record({
  model: fc.constantFrom(...MODELS),
  on: fc.constantFrom(...CHIPS),
  precision: fc.constantFrom("bf16", "fp8", "nvfp4", "int4", "q4_k"),
  parallelism: fc.constantFrom(
    { tp: 1, dp: 1, pp: 1 },
    { tp: 8, dp: 1, pp: 1 },
    { tp: 4, dp: 2, pp: 1 },
    { tp: 2, dp: 1, pp: 4 },
  ),
});

const states: fc.Arbitrary<BatchState> = fc.record({
  decodeSequences: fc.nat(2000),
  decodeContextTokens: fc.nat(200_000),
  decodeTokensPerSequence: fc.integer({ min: 1, max: 5 }),
  prefillTokens: fc.nat(16_384),
  prefillContextTokens: fc.nat(100_000),
});

test("more of anything in the batch never makes a step faster", () => {
  const key = fc.constantFrom<keyof BatchState>(
    "decodeSequences",
    "decodeContextTokens",
    "decodeTokensPerSequence",
    "prefillTokens",
    "prefillContextTokens",
  );
  fc.assert(
    fc.property(names, states, key, fc.integer({ min: 1, max: 5000 }), (...drawn) => {
      const [of, state, grown, more] = drawn;
      const deployment = deployed(placement(of));
      const before = step(deployment, state).seconds;
      const after = step(deployment, { ...state, [grown]: state[grown] + more }).seconds;
      assert.ok(after >= before * (1 - 1e-12), `${grown}: ${before} → ${after}`);
    }),
  );
});

test("a better chip never makes a step slower, nor fits less", () => {
  const key = fc.constantFrom<keyof Chip>(
    "bandwidthBytesPerS",
    "bf16Flops",
    "fp8Flops",
    "fp4Flops",
    "scaleUpBytesPerS",
    "memoryBytes",
  );
  fc.assert(
    fc.property(names, states, key, fc.double({ min: 1, max: 8, noNaN: true }), (...drawn) => {
      const [of, state, figure, factor] = drawn;
      const old = placement(of);
      const value = old.chip[figure];
      fc.pre(typeof value === "number");
      const better = deployed({ ...old, chip: { ...old.chip, [figure]: (value as number) * factor } });
      const worse = deployed(old);
      assert.ok(step(better, state).seconds <= step(worse, state).seconds * (1 + 1e-12), figure);
      const lengths = { inputTokens: 1000, outputTokens: 500 };
      assert.ok(capacityOf(better, lengths).maxSequences >= capacityOf(worse, lengths).maxSequences);
    }),
  );
});

const loads: fc.Arbitrary<Load> = fc.record({
  inputTokens: fc.integer({ min: 1, max: 20_000 }),
  outputTokens: fc.integer({ min: 1, max: 4000 }),
  concurrency: fc.integer({ min: 1, max: 2000 }),
  prefixHit: fc.double({ min: 0, max: 1, noNaN: true }),
  chunkTokens: fc.integer({ min: 128, max: 16_384 }),
  speculation: fc.option(
    fc.record({ draftTokens: fc.integer({ min: 1, max: 8 }), acceptance: fc.double({ min: 0, max: 1, noNaN: true }) }),
  ),
  isStatic: fc.boolean(),
});

test("power grows with the batch, from idle to the limit, and with the boundary; marginal joules are never negative", () => {
  fc.assert(
    fc.property(names, loads, (of, load) => {
      const deployment = deployed(placement(of));
      const { chip } = deployment.placement;
      const watts = [1, 2, 4, 16, 64, 256].map((batch) => wattsOf(chip, step(deployment, steadyState(load, batch))));
      const idle = wattsOf(chip, null);
      let last = idle;
      for (const each of watts) {
        for (const boundary of ["gpu", "node", "facility"] as const) {
          const [now, before] = [each[boundary], last[boundary]];
          assert.equal(now === null, before === null);
          if (now !== null && before !== null) assert.ok(now >= before * (1 - 1e-9), `${boundary}: ${before} → ${now}`);
        }
        if (each.gpu !== null && chip.tdpW !== null) assert.ok(each.gpu <= chip.tdpW * (1 + 1e-12));
        if (each.gpu !== null && each.node !== null) assert.ok(each.node >= each.gpu);
        if (each.node !== null && each.facility !== null) assert.ok(each.facility >= each.node * (1 - 1e-12));
        last = each;
      }
      const marginal = serve(deployment, load)?.marginalJoulesPerOutputToken ?? 0;
      assert.ok(marginal >= 0);
    }),
  );
});

test("what is served is finite and within memory; what is cached makes neither the first token nor the others later", () => {
  fc.assert(
    fc.property(names, loads, (of, load) => {
      const deployment = deployed(placement(of));
      const serving = serve(deployment, load);
      const { fits, bytesShort, reason, maxSequences } = capacityOf(deployment, load);
      assert.equal(serving !== null, fits);
      assert.equal(bytesShort > 0, !fits);
      assert.equal(reason !== null, !fits);
      if (serving === null) return;
      assert.ok(serving.batch <= Math.min(load.concurrency, maxSequences));
      for (const figure of [serving.ttftS, serving.tpotS, serving.outputTokensPerS]) {
        assert.ok(Number.isFinite(figure) && figure > 0, String(figure));
      }
      const all = serve(deployment, { ...load, concurrency: serving.batch, prefixHit: 1 });
      const none = serve(deployment, { ...load, concurrency: serving.batch, prefixHit: 0 });
      assert.ok((all?.tpotS ?? 0) <= (none?.tpotS ?? 0) * (1 + 1e-12));
      assert.ok((all?.ttftS ?? 0) <= (none?.ttftS ?? 0) * (1 + 1e-12), `${all?.ttftS} with all cached, ${none?.ttftS}`);
    }),
  );
});

test("prompts computed apart leave decoding alone, and hold it up where they are the bottleneck", () => {
  fc.assert(
    fc.property(names, names, loads, (of, other, load) => {
      const decode = deployed(placement(of));
      const prefill = deployed(placement({ ...other, model: of.model }));
      const serving = serveDisaggregated({ prefill, decode }, load);
      if (serving === null) return;
      const alone = serve(decode, { ...load, prefixHit: 1, isStatic: true });
      assert.ok(serving.tpotS <= (alone?.tpotS ?? 0) * (1 + 1e-9), `${serving.tpotS} of ${alone?.tpotS}`);
      for (const figure of [serving.ttftS, serving.tpotS, serving.outputTokensPerS]) {
        assert.ok(Number.isFinite(figure) && figure > 0, String(figure));
      }
      assert.ok(serving.batch <= load.concurrency);
      const faster = { ...prefill.placement.chip, bandwidthBytesPerS: 1e15, bf16Flops: 1e18, fp8Flops: 1e18 };
      const helped = serveDisaggregated({ prefill: deployed({ ...prefill.placement, chip: faster }), decode }, load);
      assert.ok((helped?.requestsPerS ?? 0) >= serving.requestsPerS * (1 - 1e-6));
    }),
  );
});

test("few tokens touch few experts, many touch all, and bytes say so", () => {
  const deployment = deployed(placement({ model: "deepseek-v3", on: "h200" }));
  const bytes = (decodeSequences: number): number =>
    step(deployment, {
      decodeSequences,
      decodeContextTokens: 0,
      decodeTokensPerSequence: 1,
      prefillTokens: 0,
      prefillContextTokens: 0,
    }).bytes;
  const { active, total } = deployment.parameters;
  assert.ok(Math.abs(bytes(1) / active - 1) < 0.05, `${bytes(1)} of ${active}`);
  assert.ok(Math.abs(bytes(4000) / total - 1) < 0.01);
});

test("the weights' own bandwidth bounds a lone sequence, and memory the many", () => {
  const deployment = deployed(placement({ model: "llama-3.1-70b", on: "h100", parallelism: { tp: 2, dp: 1, pp: 1 } }));
  const load = {
    inputTokens: 8000,
    outputTokens: 1000,
    prefixHit: 0,
    chunkTokens: 8192,
    speculation: null,
    isStatic: false,
  };
  assert.equal(serve(deployment, { ...load, concurrency: 1 })?.bound, "weight_bandwidth");
  const full = serve(deployment, { ...load, concurrency: 1000 });
  assert.equal(full?.bound, "capacity");
  assert.ok((full?.ttftS ?? 0) > 10);
});

test("drafts that are accepted help a lone sequence; drafts that never are, do not", () => {
  const deployment = deployed(placement({ model: "deepseek-v3", on: "h200" }));
  const load = {
    inputTokens: 1000,
    outputTokens: 1000,
    prefixHit: 0,
    chunkTokens: 8192,
    isStatic: false,
    concurrency: 1,
  };
  const tpot = (acceptance: number | null): number => {
    const speculation = acceptance === null ? null : { draftTokens: 2, acceptance };
    return serve(deployment, { ...load, speculation })?.tpotS ?? NaN;
  };
  assert.ok(tpot(0.8) < tpot(null) * 0.7);
  assert.ok(tpot(0) > tpot(null));
});

test("405B on one H100 is refused with the bytes that are missing", () => {
  const deployment = deployed(placement({ model: "llama-3.1-405b", on: "h100", parallelism: { tp: 1, dp: 1, pp: 1 } }));
  const { fits, reason, bytesShort } = capacityOf(deployment, { inputTokens: 100, outputTokens: 100 });
  assert.equal(fits, false);
  assert.match(String(reason), /weights do not fit/);
  assert.ok(bytesShort > 300e9 && bytesShort < 350e9, String(bytesShort));
});
