import { matches } from "./model-names.ts";

/** Which models somebody may use, as names or families (`gpt-*`). */
export interface ModelRules {
  /** Null: every one that is not denied. */
  readonly allow: readonly string[] | null;
  readonly deny: readonly string[];
}

/** The rules of a tenant, and those of its keys that have rules of their own, by the key's name. */
export interface TenantRules extends ModelRules {
  readonly keys: Readonly<Record<string, ModelRules>>;
}

/** Whose rules are asked for. */
export interface Caller {
  readonly tenant: string;
  readonly key: string | null;
}

/** The rules that hold for a caller, all of them together. */
export function rulesOf(access: Readonly<Record<string, TenantRules>>, { tenant, key }: Caller): readonly ModelRules[] {
  const rules = Object.hasOwn(access, tenant) ? access[tenant] : undefined;
  if (rules === undefined) return [];
  const own = key !== null && Object.hasOwn(rules.keys, key) ? rules.keys[key] : undefined;
  return own === undefined ? [rules] : [rules, own];
}

/**
 * Whether `model` may be used when it was asked for as `asked`, which differs for an alias. Either name may be the allowed
 * one; neither may be denied, so that an alias is no way around a rule.
 */
export function mayUse(rules: readonly ModelRules[], asked: string, model: string): boolean {
  return rules.every(({ allow, deny }) => {
    const isOne = (pattern: string): boolean => matches(pattern, model) || matches(pattern, asked);
    return (allow === null || allow.some(isOne)) && !deny.some(isOne);
  });
}
