import { createPrivateKey } from "node:crypto";
import { BedrockEngine, type BedrockAuth } from "../engines/bedrock.ts";
import type { TokenSource } from "../engines/dialect.ts";
import { GeminiEngine, VertexEngine } from "../engines/gemini.ts";
import { FileToken, type ServiceAccount, serviceAccountOf, ServiceAccountTokens } from "../engines/google-token.ts";
import type { Engine } from "../ports/engine.ts";
import { readSecret, type SecretDoors, SecretError } from "./config/secrets.ts";
import type { CloudEngineConfig, EngineConfig } from "./config/types.ts";

/** An engine's secrets as they were read, by their keys in the configuration, since a file may hold another one later. */
export type EngineSecrets = Readonly<Record<string, string>>;

/** Reads the secrets of an engine. Throws `SecretError` in words that hold none. */
export function engineSecrets(config: EngineConfig, doors: SecretDoors): EngineSecrets {
  switch (config.kind) {
    case "embedded":
    case "llama-server":
      return {};
    case "openai":
    case "anthropic":
      return config.key === null ? {} : { key: readSecret(config.key, doors) };
    case "gemini":
      return { key: readSecret(config.key, doors) };
    case "vertex":
      if ("tokenFile" in config.auth) return {};
      return { serviceAccount: readAccount(config.auth.serviceAccountFile, doors) };
    case "bedrock": {
      const sources = Object.entries(config.auth).flatMap(([name, source]) =>
        source === null ? [] : [{ name, source }],
      );
      return Object.fromEntries(sources.map(({ name, source }) => [name, readSecret(source, doors)]));
    }
  }
}

/** The text of a service account's file, which must hold a key that signs. */
function readAccount(file: string, doors: SecretDoors): string {
  const remedy = "download the key of a service account as JSON, or correct the path";
  let text: string;
  try {
    text = doors.readFile(file);
  } catch {
    throw new SecretError(`the file ${file} cannot be read`, remedy);
  }
  const account = serviceAccountOf(text);
  if (account === null || !isPrivateKey(account)) {
    throw new SecretError(`the file ${file} holds no key of a service account`, remedy);
  }
  return text;
}

function isPrivateKey({ privateKey }: ServiceAccount): boolean {
  try {
    return createPrivateKey(privateKey).asymmetricKeyType === "rsa";
  } catch {
    // What OpenSSL says of it may quote it.
    return false;
  }
}

/** The engine of a cloud, with the secrets that were read for it. */
export function cloudEngine(config: CloudEngineConfig, secrets: EngineSecrets, maxAnswerBytes: number): Engine {
  const { url, headers, onLoss } = config;
  const common = { url, headers, onLoss, socketPath: null, maxAnswerBytes, discoverModels: false };
  switch (config.kind) {
    case "gemini": {
      const { discoverModels, modelsAreOptional } = config;
      return new GeminiEngine({ ...common, key: secrets["key"] ?? null, discoverModels, modelsAreOptional });
    }
    case "vertex": {
      const { project, location } = config;
      return new VertexEngine({ ...common, project, location, tokens: tokensOf(config.auth, secrets) });
    }
    case "bedrock":
      return new BedrockEngine({ ...common, region: config.region, auth: authOf(secrets) });
  }
}

function tokensOf(
  auth: Extract<CloudEngineConfig, { kind: "vertex" }>["auth"],
  { serviceAccount = "" }: EngineSecrets,
): TokenSource {
  if ("tokenFile" in auth) return new FileToken(auth.tokenFile);
  const account = serviceAccountOf(serviceAccount);
  if (account === null) throw new Error("a service account was read before its engine is made");
  return new ServiceAccountTokens(account);
}

function authOf({ key, accessKeyId = "", secretAccessKey = "", sessionToken }: EngineSecrets): BedrockAuth {
  if (key !== undefined) return { kind: "key", key };
  return { kind: "credentials", credentials: { accessKeyId, secretAccessKey, sessionToken: sessionToken ?? null } };
}
