import type { Finding } from "./problems.ts";
import { isRecord } from "./values.ts";

/** What a cloud's engine says of its credentials, once and in full. Takes the plain values of a backend that may be wrong elsewhere. */
export function credentialFindings(name: string, backend: unknown): readonly Finding[] {
  if (!isRecord(backend)) return [];
  const has = (key: string): boolean => Object.hasOwn(backend, key);
  const fault = (message: string, remedy: string): readonly Finding[] => [
    { path: ["backends", name], message, remedy },
  ];
  if (backend["engine"] === "vertex" && has("serviceAccountFile") === has("tokenFile")) {
    return fault("needs exactly one of serviceAccountFile and tokenFile", "say where its credentials are, once");
  }
  if (backend["engine"] !== "bedrock") return [];
  const pair = ["accessKeyId", "secretAccessKey"].filter(has).length;
  if (has("key") ? pair > 0 || has("sessionToken") : pair !== 2) {
    return fault(
      "needs either key, or accessKeyId and secretAccessKey",
      "give a Bedrock API key as key, or both parts of an access key, with sessionToken where it is temporary",
    );
  }
  return [];
}
