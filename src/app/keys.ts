import { readFileSync } from "node:fs";
import { hashKey, type KeyHolder, type KeyRing } from "../gateway/access.ts";
import { readSecret, type SecretDoors } from "./config/secrets.ts";
import type { TenantConfig } from "./config/types.ts";

/** The environment of the process, as far as secrets come from it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The doors through which secrets are read, for an environment. */
export function secretDoors(env: Environment): SecretDoors {
  return { env, readFile: (path) => readFileSync(path, "utf8") };
}

/** The tenants' keys, read anew from where they come from. Throws in words when one cannot be read, or has two holders. */
export function keyRing(tenants: readonly TenantConfig[], env: Environment): KeyRing {
  const keys = new Map<string, KeyHolder>();
  for (const tenant of tenants) {
    for (const { name, source, admin } of tenant.keys) {
      const digest = "sha256" in source ? source.sha256.toLowerCase() : hashKey(readSecret(source, secretDoors(env)));
      const other = keys.get(digest);
      if (other !== undefined)
        throw new Error(
          `the keys ${other.key} of ${other.tenant} and ${name} of ${tenant.id} are the same; a key has one holder`,
        );
      keys.set(digest, { tenant: tenant.id, key: name, admin });
    }
  }
  return keys;
}
