import { BlockList, isIP } from "node:net";
import type { TenantConfig } from "./types.ts";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** Whether a host names this machine only: localhost, 127.0.0.0/8 or ::1. */
export function loopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  if (bare.toLowerCase() === "localhost") return true;
  const family = isIP(bare);
  return family !== 0 && LOOPBACK.check(bare, family === 6 ? "ipv6" : "ipv4");
}

/** Why a server must not listen on `host`, with what to do, or null when it may: without keys, only this machine is served. */
export function refuseBind(host: string, tenants: readonly TenantConfig[]): string | null {
  if (loopback(host) || tenants.some((tenant) => tenant.keys.length > 0)) return null;
  return `${host} can be reached from other machines, and no tenant has a key → add tenants with keys to baseload.yaml, or listen on 127.0.0.1`;
}
