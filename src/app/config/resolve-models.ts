import type { ModelCard } from "../../base/model.ts";
import type { KernelConfig } from "../../kernel/config.ts";
import { isPattern } from "../../policy/model-names.ts";
import type { ModelRules, TenantRules } from "../../policy/access.ts";
import type { ParsedConfig } from "./schema.ts";

type Entry = ParsedConfig["models"][string];

/** What the kernel is told of models: what is known of each, and what each alias comes to in the end. */
export function resolveModels(entries: ParsedConfig["models"]): Pick<KernelConfig, "models" | "aliases"> {
  const written = Object.entries(entries);
  const direct = new Map<string, readonly string[]>(
    written.flatMap(([name, { aliases, aliasOf }]): [string, readonly string[]][] => [
      ...(aliasOf === undefined ? [] : [[name, [aliasOf].flat()] as [string, readonly string[]]]),
      ...(aliases ?? []).map((alias): [string, readonly string[]] => [alias, [name]]),
    ]),
  );
  // No alias leads back to itself: model-checks.ts has seen to that.
  const ends = (name: string): readonly string[] => direct.get(name)?.flatMap(ends) ?? [name];
  return {
    models: Object.fromEntries(
      written.filter(([, { aliasOf }]) => aliasOf === undefined).map(([name, entry]) => [name, cardOf(entry)]),
    ),
    aliases: Object.fromEntries([...direct.keys()].map((alias) => [alias, [...new Set(ends(alias))]])),
  };
}

function cardOf(entry: Entry): ModelCard {
  const { tools, jsonSchema, reasoning, embeddings } = entry.capabilities ?? {};
  const capabilities = Object.entries({ tools, jsonSchema, reasoning, embeddings }).filter(
    ([, can]) => can !== undefined,
  );
  return {
    contextTokens: entry.contextTokens ?? null,
    maxOutputTokens: entry.maxOutputTokens ?? null,
    inputModalities: entry.modalities?.input ?? null,
    outputModalities: entry.modalities?.output ?? null,
    capabilities: Object.fromEntries(capabilities),
    description: entry.description ?? null,
    ownedBy: entry.ownedBy ?? null,
  };
}

/** Whose use of models is limited, and how. */
export function resolveAccess(tenants: ParsedConfig["tenants"]): KernelConfig["access"] {
  const rules = Object.entries(tenants).flatMap(([id, tenant]): [string, TenantRules][] => {
    const keys = tenant.keys.filter(isLimited).map((key) => [key.name, rulesOf(key)] as const);
    return isLimited(tenant) || keys.length > 0 ? [[id, { ...rulesOf(tenant), keys: Object.fromEntries(keys) }]] : [];
  });
  return Object.fromEntries(rules);
}

interface Limits {
  readonly models?: readonly string[] | undefined;
  readonly denyModels?: readonly string[] | undefined;
}

function isLimited({ models, denyModels }: Limits): boolean {
  return models !== undefined || denyModels !== undefined;
}

function rulesOf({ models, denyModels }: Limits): ModelRules {
  return { allow: models ?? null, deny: denyModels ?? [] };
}

/** Whether a family's members are worth asking for; any name at all is no family. */
export function hasFamily(models: "*" | readonly string[] | Readonly<Record<string, unknown>>): boolean {
  if (models === "*") return false;
  const names = Array.isArray(models) ? models : Object.keys(models);
  return names.some((name) => name !== "*" && isPattern(name));
}
