import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import type { Answer, CapabilityTarget } from "../../../test/engine-conformance/capability.ts";
import { capabilitiesConformance } from "../../../test/engine-conformance/capabilities.ts";
import { EmbeddedEngine } from "./supervisor.ts";
import { ask, askStream } from "./test-client.ts";
import { TINY_MODEL_NAME, writeTinyModel } from "./tiny-model.ts";

const dir = mkdtempSync(join(tmpdir(), "capabilities-"));
const modelPath = join(dir, "tiny.gguf");
writeTinyModel(modelPath);
after(() => rmSync(dir, { recursive: true }));

const engine = new EmbeddedEngine({ modelPath, sequences: 2, contextTokens: 2048, socketDir: join(dir, "run") });
const target: CapabilityTarget = {
  model: TINY_MODEL_NAME,
  hasEyes: false,
  more: { seed: 1, max_tokens: 600 },
  post: async (path, body) => (await ask(engine.socketPath, path, body)) as unknown as { status: number; body: Answer },
  stream: (path, body) => askStream(engine.socketPath, path, body) as unknown as Promise<readonly Answer[]>,
};

describe("the embedded engine's capabilities", () => {
  before(() => engine.start());
  after(() => engine.close());
  capabilitiesConformance(() => target);
});
