import assert from "node:assert/strict";
import { test } from "node:test";
import { type CapabilityTarget } from "./capability.ts";

const PATH = "/v1/embeddings";

/** Embeddings: vectors of length 1, in the order asked for, the same in every form. */
export function embeddingsConformance(target: () => CapabilityTarget): void {
  const ask = (more: object) => target().post(PATH, { model: target().model, ...more });
  const vectors = async (more: object): Promise<readonly (readonly number[])[]> => {
    const { status, body } = await ask(more);
    assert.equal(status, 200, body.error?.message ?? "");
    assert.deepEqual(
      body.data?.map(({ index }) => index),
      body.data?.map((_, index) => index),
    );
    return (body.data ?? []).map(({ embedding }) => embedding as readonly number[]);
  };

  test("a text and a list of one have the same vector, of length 1", async () => {
    const [alone] = await vectors({ input: "The price of energy" });
    const [listed] = await vectors({ input: ["The price of energy"] });
    assert.ok(alone !== undefined && listed !== undefined);
    assert.ok(cosine(alone, listed) > 0.9999);
    assert.ok(Math.abs(Math.hypot(...alone) - 1) < 1e-3);
  });

  test("several texts come in order, and equal ones are nearer than others", async () => {
    const [one, other, again] = await vectors({
      input: ["The price of energy", "Snow on the road at night", "The price of energy"],
    });
    assert.ok(one !== undefined && other !== undefined && again !== undefined);
    assert.ok(cosine(one, again) > 0.9999);
    assert.ok(cosine(one, other) < cosine(one, again));
  });

  test("base64 is the same numbers as 32-bit floats", async () => {
    const [numbers] = await vectors({ input: "The price of energy" });
    const { body } = await ask({ input: "The price of energy", encoding_format: "base64" });
    const bytes = Buffer.from(body.data?.[0]?.embedding as string, "base64");
    assert.equal(bytes.length, (numbers?.length ?? 0) * 4);
    const read = Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4));
    assert.ok(cosine(read, numbers ?? []) > 0.9999);
  });

  test("usage counts the tokens of all inputs", async () => {
    const one = (await ask({ input: "The price" })).body.usage;
    const two = (await ask({ input: ["The price", "The price"] })).body.usage;
    assert.ok((one?.prompt_tokens ?? 0) > 0);
    assert.equal(two?.prompt_tokens, 2 * (one?.prompt_tokens ?? 0));
    assert.equal(two.total_tokens, two.prompt_tokens);
  });

  test("nothing to embed is refused", async () => {
    for (const input of ["", [], [""], null]) assert.equal((await ask({ input })).status, 400, JSON.stringify(input));
  });
}

function cosine(one: readonly number[], other: readonly number[]): number {
  const dot = one.reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0);
  return dot / (Math.hypot(...one) * Math.hypot(...other));
}
