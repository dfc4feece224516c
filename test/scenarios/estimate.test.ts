import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { Baseload, Folder } from "./lib/baseload.ts";
import { runBaseload } from "./lib/children.ts";

const folder = new Folder();
after(() => folder[Symbol.dispose]());

async function estimate(...args: readonly string[]): ReturnType<typeof runBaseload> {
  return await runBaseload(["estimate", ...args]);
}

describe("baseload estimate", { concurrency: true }, () => {
  it("prints a table and bars, with sources, and says that it is an estimate", async () => {
    const ran = await estimate(
      "--model",
      "llama-3.1-70b",
      "--on",
      "h200x4",
      "--precision",
      "fp8",
      "--concurrency",
      "1..64",
    );
    assert.equal(ran.code, 0, ran.output);
    assert.match(ran.stdout, /llama-3\.1-70b fp8 on 4 × h200-sxm \(tp 4/);
    assert.equal(ran.stdout.match(/█ [\d.,]+ tok\/s/g)?.length, 7);
    assert.match(ran.stdout, /sources: memoryGB: 141 \(IX-spec, published\)/);
    assert.match(ran.stdout, /model_estimate/);
  });

  it("compares hardware in one JSON document, refusing what does not fit with the bytes", async () => {
    const ran = await estimate(
      "--model",
      "deepseek-r1",
      "--on",
      "h200x8",
      "--compare",
      "mi355x8,m3-ultra",
      "--concurrency",
      "8",
      "--json",
    );
    assert.equal(ran.code, 0, ran.output);
    const { series } = JSON.parse(ran.stdout) as {
      series: { hardware: string; fits: boolean; bytesShort: number; estimate: { tpotMs: number } | null }[][];
    };
    assert.deepEqual(
      series.map(([first]) => first?.fits),
      [true, true, false],
    );
    assert.ok((series[0]?.[0]?.estimate?.tpotMs ?? 0) > 1);
    assert.equal(series[2]?.[0]?.estimate, null);
    assert.ok((series[2]?.[0]?.bytesShort ?? 0) > 1e11);
  });

  it("computes prompts on further hardware", async () => {
    const args = ["--model", "deepseek-r1", "--on", "h200x8", "--concurrency", "32", "--isl", "8192"];
    const ran = await estimate(...args, "--prefill-on", "h100x16");
    assert.equal(ran.code, 0, ran.output);
    assert.match(ran.stdout, /prompts on 16 × h100-sxm/);
    assert.match(ran.stdout, /extrapolated: .*prefill and decode apart/);
    assert.equal((await estimate(...args, "--prefill-on", "h100")).code, 1);
  });

  it("makes a page that needs nothing else", async () => {
    const ran = await estimate("--model", "llama-3.1-8b", "--on", "h100", "--compare", "b200,a100", "--html");
    assert.equal(ran.code, 0, ran.output);
    assert.match(ran.stdout, /^<!doctype html>/);
    assert.equal(ran.stdout.match(/<svg/g)?.length, 3);
    assert.doesNotMatch(ran.stdout, /<script|src=|href=|url\(/);
    assert.match(ran.stdout, /model_estimate/);
  });

  it("ends with status 1 and the bytes short when the hardware holds no model", async () => {
    const ran = await estimate("--model", "llama-3.1-405b", "--on", "h100");
    assert.equal(ran.code, 1);
    assert.match(ran.stdout, /the weights do not fit into the chip; .* GB short \([\d,]+ bytes\)/);
  });
});

describe("baseload estimate, asked wrongly", () => {
  it("suggests near names, and says what else is wrong, with status 2", async () => {
    const rows = [
      [["--model", "lama-3.1-70b", "--on", "h200"], /Did you mean llama-3\.1-70b\?/],
      [["--model", "llama-3.1-8b", "--on", "h20x4"], /Did you mean h200\?|Did you mean h100\?/],
      [
        ["--model", "llama-3.1-8b", "--on", "h200", "--precision", "fp7"],
        /Did you mean fp8\?|Did you mean fp4\?|Did you mean fp16\?/,
      ],
      [["--model", "llama-3.1-8b", "--on", "h200x4", "--tp", "3"], /must make the 4 chips/],
      [["--model", "llama-3.1-8b", "--on", "h200", "--concurrency", "9..1"], /--concurrency takes/],
      [["--model", "llama-3.1-8b", "--on", "a19"], /does not know the memory/],
      [["--on", "h200"], /--model and --on are needed/],
      [["--batch", "no-such.csv"], /no-such\.csv/],
    ] as const;
    for (const [args, words] of rows) {
      const ran = await estimate(...args);
      assert.equal(ran.code, 2, ran.output);
      assert.match(ran.stderr, words);
    }
  });
});

describe("baseload estimate --batch", () => {
  it("answers a CSV row by row, and a row that it cannot answer with a reason", async () => {
    const file = join(folder.path, "points.csv");
    const lines = [
      "id,hardware,n_accel,tp,dp,ep,model,weight_precision,engine,isl,osl,concurrency",
      "a,H200-SXM,8,8,,,DeepSeek-R1-0528,fp8,sglang,1024,1024,64",
      '"b, quoted",MI300X,8,8,8,8,"DeepSeek-R1",fp8,dynamo-sglang,1024,1024,64',
      "c,Apple M2 Ultra,1,,,,gpt-oss-20b-GGUF,gpt-oss 20B MXFP4 MoE,llama.cpp llama-batched-bench,4096,32,1",
      "d,H100-SXM,1,1,1,1,Llama-3.1-405B,bf16,vllm,100,100,1",
      "e,Abacus,1,1,1,1,Llama-3.1-8B,bf16,vllm,100,100,1",
      "f,H100-SXM,1,1,1,1,Llama-3.1-8B,bf16,vllm,,100,1",
    ];
    writeFileSync(file, `${lines.join("\r\n")}\r\n`);
    const ran = await estimate("--batch", file);
    assert.equal(ran.code, 0, ran.output);
    const [header, a = "", b = "", c = "", d = "", e = "", f = ""] = ran.stdout.trimEnd().split("\n");
    assert.equal(
      header,
      "id,ttft_ms,tpot_ms,output_tok_s,power_w,energy_j_per_output_tok,ttft_ms_lo,ttft_ms_hi,tpot_ms_lo,tpot_ms_hi,output_tok_s_lo,output_tok_s_hi,power_w_lo,power_w_hi,energy_j_per_output_tok_lo,energy_j_per_output_tok_hi,tier,error",
    );
    assert.match(a, /^a,\d[\d.]*,\d[\d.]*,\d[\d.]*,\d[\d.]*,\d[\d.]*,{11}model_estimate,$/);
    assert.match(b, /^"b, quoted",\d/);
    assert.match(c, /^c,\d[\d.]*,\d[\d.]*,\d[\d.]*,,,{11}model_estimate,$/);
    assert.match(d, /^d,{17}does not fit: .* bytes short$/);
    assert.match(e, /^e,{17}.*no hardware ""Abacus""/);
    assert.match(f, /^f,{17}isl is missing\.$/);
  });
});

describe("GET /api/estimate", () => {
  it("answers as --json does, and says what is wrong", async () => {
    const config = "{ version: 1, backends: { a: { url: http://127.0.0.1:9/v1, models: [m] } } }";
    await using server = await Baseload.start({ config });
    const get = async (query: string): Promise<{ readonly status: number; readonly text: string }> => {
      const response = await fetch(`${server.origin}/api/estimate?${query}`);
      return { status: response.status, text: await response.text() };
    };
    const answer = await get("model=llama-3.1-70b&on=h200x4&precision=fp8&concurrency=1..4&compare=mi355x");
    assert.equal(answer.status, 200, answer.text);
    const told = await estimate(
      ..."--model llama-3.1-70b --on h200x4 --precision fp8 --concurrency 1..4 --compare mi355x --json".split(" "),
    );
    assert.deepEqual(JSON.parse(answer.text), JSON.parse(told.stdout));
    for (const [query, words] of [
      ["", /--model and --on are needed/],
      ["model=llama-3.1-70b&on=h20", /Did you mean/],
      ["model=package.json&on=h200", /no model/],
      ["model=llama-3.1-8b&on=h200x99999&batch=x.csv", /no parameter/],
      ["model=llama-3.1-8b&on=tpu-v7-podx99999", /chips: from 1 to/],
      ["model=llama-3.1-8b&model=llama-3.1-70b&on=h200", /given twice/],
    ] as const) {
      const wrong = await get(query);
      assert.equal(wrong.status, 400, wrong.text);
      assert.match(wrong.text, words);
    }
    const posted = await fetch(`${server.origin}/api/estimate`, { method: "POST" });
    assert.equal(posted.status, 405);
  });
});
