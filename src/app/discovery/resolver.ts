import { lookup, Resolver as DnsResolver } from "node:dns/promises";

/** What discovery asks of the name system. Both reject when they cannot answer. */
export interface Resolver {
  /** The IPv4 and IPv6 addresses of a name. */
  addresses(name: string): Promise<readonly string[]>;
  /** The hosts and ports of a service's name. */
  services(name: string): Promise<readonly { readonly name: string; readonly port: number }[]>;
}

const QUESTION_MS = 2000;
const QUESTIONS = 2;

/**
 * The system's own resolver. Addresses are asked of the operating system, which knows search domains and the hosts file, as
 * other programs on the machine do; services can be asked of the name servers only, by their full name.
 */
export function systemResolver(): Resolver {
  const resolver = new DnsResolver({ timeout: QUESTION_MS, tries: QUESTIONS });
  return {
    addresses: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
    services: (name) => resolver.resolveSrv(name),
  };
}
