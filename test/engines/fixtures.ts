/**
 * What engines say of themselves, by kind and version, as files. Each folder's SOURCE.md tells where it is from and whether it
 * was recorded or reconstructed; `expected.json` is what its reader makes of it, written by `node scripts/golden.ts --update`.
 */
import { readdirSync, readFileSync } from "node:fs";
import {
  ENGINE_KINDS,
  type EngineKind,
  type EngineObservation,
  unknownObservation,
} from "../../src/base/engine-observation.ts";
import type { ProbeAnswer } from "../../src/engines/http-engine.ts";
import { readerOf } from "../../src/engines/kinds/kinds.ts";
import { modelsByName } from "../../src/engines/kinds/model-lists.ts";
import { Answers, MODELS } from "../../src/engines/kinds/reader.ts";

/** One engine's endpoints at one version. */
export interface Fixture {
  readonly kind: EngineKind;
  readonly version: string;
  /** Folder below test/engines/fixtures. */
  readonly name: string;
  /** Bodies by path of the server, the base being `/v1`. */
  readonly bodies: ReadonlyMap<string, string>;
}

/** Where each file of a fixture is served. */
const PATHS: Readonly<Record<string, string>> = {
  "models.json": "/v1/models",
  "metrics.txt": "/metrics",
  "iterations.json": "/metrics",
  "prometheus-metrics.txt": "/prometheus/metrics",
  "version.json": "/version",
  "loads.json": "/v1/loads",
  "model_info.json": "/get_model_info",
  "health.json": "/health",
  "props.json": "/props",
  "slots.json": "/slots",
  "lora-adapters.json": "/lora-adapters",
  "ps.json": "/api/ps",
  "tags.json": "/api/tags",
  "api-version.json": "/api/version",
  "v1-models.json": "/api/v1/models",
  "v0-models.json": "/api/v0/models",
  "info.json": "/info",
};

const FOLDER = new URL("fixtures/", import.meta.url);
const NOT_SERVED = new Set(["SOURCE.md", "expected.json"]);

/** Every fixture, by kind. */
export const FIXTURES: readonly Fixture[] = ENGINE_KINDS.flatMap((kind) =>
  readdirSync(new URL(`${kind}/`, FOLDER)).map((version) => load(kind, version)),
);

/** The newest fixture of a kind, in which its fake speaks. */
export function newest(kind: EngineKind): Fixture {
  const version = {
    vllm: "0.10.2",
    sglang: "0.5",
    trtllm: "1.2",
    llamacpp: "00dc805",
    ollama: "0.40",
    lmstudio: "0.4",
    tgi: "3.0",
    dynamo: "0.6",
    openai: "plain",
  }[kind];
  return load(kind, version);
}

function load(kind: EngineKind, version: string): Fixture {
  const name = `${kind}/${version}`;
  const folder = new URL(`${name}/`, FOLDER);
  const bodies = new Map<string, string>();
  for (const file of readdirSync(folder)) {
    if (NOT_SERVED.has(file)) continue;
    const path = PATHS[file];
    if (path === undefined) throw new Error(`nothing serves ${name}/${file}: name it in test/engines/fixtures.ts`);
    bodies.set(path, readFileSync(new URL(file, folder), "utf8"));
  }
  return { kind, version, name, bodies };
}

/** What a fixture's endpoints answer, by the paths that readers know. */
export function answersOf({ bodies }: Fixture): Answers {
  const answers = new Map<string, ProbeAnswer>();
  for (const [path, body] of bodies) answers.set(path === "/v1/models" ? MODELS.path : path, { status: 200, body });
  return new Answers(answers);
}

/** What its reader makes of a fixture. */
export function observationOf(fixture: Fixture): EngineObservation {
  const answers = answersOf(fixture);
  const plain = { ...unknownObservation("openai"), models: modelsByName(answers) };
  return readerOf(fixture.kind)?.read(answers) ?? plain;
}

/** Where a fixture says whence it is. */
export function sourceOf({ name }: Fixture): string {
  return readFileSync(new URL(`${name}/SOURCE.md`, FOLDER), "utf8");
}
