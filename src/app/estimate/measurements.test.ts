import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { loadCatalog } from "../catalog/load.ts";
import { answerBatch } from "./batch.ts";
import { parseCsv } from "./csv.ts";

const FOLDER = new URL("../../../../shared/data/measurements/", import.meta.url);
const folder = existsSync(fileURLToPath(FOLDER)) ? FOLDER : undefined;
const skip = folder === undefined ? "the published measurements are not beside the repository" : false;
const catalog = loadCatalog(null);

type Row = Readonly<Record<string, string>>;

function read(name: string): readonly Row[] {
  return parseCsv(readFileSync(new URL(name, folder), "utf8"));
}

/** The rows' answers, through the CSV in which users ask. */
function answer(rows: readonly Row[]): readonly Row[] {
  const columns = "id hardware n_accel tp dp ep model weight_precision engine isl osl concurrency".split(" ");
  const lines = rows.map((row) => columns.map((name) => row[name] ?? "").join(","));
  return parseCsv([...answerBatch(catalog, `${[columns.join(","), ...lines].join("\n")}\n`)].join(""));
}

/** The middle of |estimate ÷ measurement − 1|. */
function medianError(ratios: readonly number[]): number {
  const errors = ratios.map((ratio) => Math.abs(ratio - 1)).toSorted((a, b) => a - b);
  return errors[errors.length >> 1] ?? Infinity;
}

test("the model's time per output token is near published serving measurements", { skip }, () => {
  const points = read("calibration_points.csv").map((row) => ({
    ...row,
    id: row["point_id"] ?? "",
    model: row["model_shape"] ?? "",
    dp: row["attention_dp"] ?? "",
    weight_precision: row["model_shape"]?.startsWith("gpt-oss") === true ? "mxfp4" : (row["weight_class"] ?? ""),
  }));
  const answers = answer(points);
  const ratio = (figure: "tpot_ms" | "ttft_ms"): readonly number[] =>
    answers.flatMap((each, index) => {
      const measured = Number((points[index] as Row)[`${figure}_measured`]);
      return each["error"] === "" && measured > 0 ? [Number(each[figure]) / measured] : [];
    });
  const tpot = ratio("tpot_ms");
  assert.ok(tpot.length > points.length * 0.98, `${tpot.length} of ${points.length} answered`);
  assert.ok(medianError(tpot) < 0.16, `TPOT ${medianError(tpot)}`);
  assert.ok(medianError(ratio("ttft_ms")) < 0.42, `TTFT ${medianError(ratio("ttft_ms"))}`);
});

test(
  "power, whose curve was set by these rows, and 16-bit speed, to which nothing was fitted, are near measured ones of H100",
  { skip },
  () => {
    const rows = read("mlenergy_llm.csv").filter((row) => row["hardware"] === "H100-SXM" && row["power_w"] !== "");
    // Prompts are short beside the answers, and their lengths are not stated.
    const answers = answer(rows.map((row) => ({ ...row, isl: row["isl"] || "500" })));
    const ratios = (figure: string): readonly number[] =>
      answers.flatMap((each, index) => {
        const measured = Number((rows[index] as Row)[figure]);
        return each["error"] === "" && measured > 0 ? [Number(each[figure]) / measured] : [];
      });
    assert.ok(ratios("power_w").length > 150);
    assert.ok(medianError(ratios("power_w")) < 0.2, `power ${medianError(ratios("power_w"))}`);
    assert.ok(medianError(ratios("tpot_ms")) < 0.3, `TPOT ${medianError(ratios("tpot_ms"))}`);
  },
);

test("every accelerator of the collected list is in the catalogue, with each of its figures", { skip }, () => {
  const columns = {
    memory_gb: "memoryGB",
    memory_bw_tb_s: "bandwidthTBps",
    bf16_tflops_dense: "bf16Tflops",
    fp8_tflops_dense: "fp8Tflops",
  } as const;
  for (const row of parseCsv(readFileSync(new URL("../accelerators.csv", folder), "utf8"))) {
    const entry = catalog.accelerators.find(({ id }) => id === row["id"]);
    assert.ok(entry !== undefined, `${row["id"]}`);
    for (const [column, name] of Object.entries(columns)) {
      const text = row[column] ?? "";
      if (text !== "")
        assert.equal(
          entry[name as (typeof columns)[keyof typeof columns]]?.value,
          Number(text),
          `${row["id"]} ${column}`,
        );
    }
  }
});
