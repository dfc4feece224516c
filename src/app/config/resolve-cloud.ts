import { resolve } from "node:path";
import { present } from "../../base/assert.ts";
import { hasFamily } from "./resolve-models.ts";
import type { ParsedBackend } from "./schema.ts";
import { lowerCased, secretSource } from "./sources.ts";
import type { BedrockEngineConfig, CloudEngineConfig, VertexEngineConfig } from "./types.ts";

/** A backend of a cloud. */
export type CloudBackend = Extract<ParsedBackend, { engine: "gemini" | "vertex" | "bedrock" }>;
type VertexBackend = Extract<CloudBackend, { engine: "vertex" }>;
type BedrockBackend = Extract<CloudBackend, { engine: "bedrock" }>;

/** Whether a backend is a cloud's. */
export function isCloud(backend: ParsedBackend): backend is CloudBackend {
  return backend.engine === "gemini" || backend.engine === "vertex" || backend.engine === "bedrock";
}

/** The engine of a cloud's backend. `from` is the folder of the configuration. */
export function cloudEngine(backendId: string, backend: CloudBackend, from: string): CloudEngineConfig {
  const url = urlOf(backend).replace(/\/+$/, "");
  const common = { backendId, url, headers: lowerCased(backend.headers), onLoss: backend.onLoss };
  if (backend.engine === "gemini") {
    const key = secretSource(backend.key, from);
    const { models } = backend;
    return {
      kind: "gemini",
      ...common,
      key,
      discoverModels: models === undefined || hasFamily(models),
      modelsAreOptional: models !== undefined,
    };
  }
  if (backend.engine === "vertex") {
    const { project, location } = backend;
    return { kind: "vertex", ...common, project, location, auth: vertexAuth(backend, from) };
  }
  return { kind: "bedrock", ...common, region: backend.region, auth: bedrockAuth(backend, from) };
}

function urlOf(backend: CloudBackend): string {
  if (backend.engine === "gemini") return backend.url;
  if (backend.url !== undefined) return backend.url;
  if (backend.engine === "vertex") {
    const { location } = backend;
    return location === "global"
      ? "https://aiplatform.googleapis.com"
      : `https://${location}-aiplatform.googleapis.com`;
  }
  const { region } = backend;
  return `https://bedrock-runtime.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
}

function vertexAuth({ serviceAccountFile, tokenFile }: VertexBackend, from: string): VertexEngineConfig["auth"] {
  if (serviceAccountFile !== undefined) return { serviceAccountFile: resolve(from, serviceAccountFile) };
  return { tokenFile: resolve(from, present(tokenFile, "the checks let a backend have exactly one of the two")) };
}

function bedrockAuth(backend: BedrockBackend, from: string): BedrockEngineConfig["auth"] {
  const { key, accessKeyId, secretAccessKey, sessionToken } = backend;
  if (key !== undefined) return { key: secretSource(key, from) };
  const checked = "the checks let a backend have either a key or both parts of an access key";
  return {
    accessKeyId: secretSource(present(accessKeyId, checked), from),
    secretAccessKey: secretSource(present(secretAccessKey, checked), from),
    sessionToken: sessionToken === undefined ? null : secretSource(sessionToken, from),
  };
}
