import assert from "node:assert/strict";

/** What a stream's bytes say, read by other code than the engine's own. */
export interface ReadStream {
  /** The events' data, `[DONE]` left out. */
  readonly chunks: readonly { readonly choices: readonly Choice[]; readonly usage?: unknown }[];
  readonly text: string;
  readonly dones: number;
}

interface Choice {
  readonly delta?: { readonly content?: string | null };
  readonly text?: string;
  readonly finish_reason: string | null;
}

/** Reads whole events; fails on anything that is none. */
export function readStream(bytes: Buffer): ReadStream {
  const text = bytes.toString("utf8").replaceAll("\r\n", "\n");
  assert.ok(text === "" || text.endsWith("\n\n"), "the bytes end with a whole event");
  const data = text
    .split("\n\n")
    .filter((event) => event !== "" && !event.startsWith(":"))
    .map((event) => {
      assert.ok(event.startsWith("data: "), event);
      return event.slice(6);
    });
  const dones = data.filter((each) => each === "[DONE]").length;
  if (dones > 0) assert.equal(data.at(-1), "[DONE]", "nothing follows [DONE]");
  const chunks = data
    .filter((each) => each !== "[DONE]")
    .map((each) => JSON.parse(each) as ReadStream["chunks"][number]);
  const texts = chunks.flatMap(({ choices }) => choices.map((choice) => choice.delta?.content ?? choice.text ?? ""));
  return { chunks, text: texts.join(""), dones };
}

/** Each call's bytes must be whole events by themselves. */
export function assertWholeEvents(chunk: Buffer): void {
  assert.ok(/(?:\n\n|\r\n\r\n)$/.test(chunk.toString("latin1")), `bytes are cut inside an event: ${chunk.toString()}`);
}
