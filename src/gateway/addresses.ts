import { BlockList, isIP } from "node:net";

/** Networks whose machines are believed when they say on whose behalf they call. */
export type TrustedNetworks = Pick<BlockList, "check">;

/** An address or a network in CIDR notation, or null when it is neither. */
export function parseNetwork(
  text: string,
): { readonly address: string; readonly bits: number; readonly family: "ipv4" | "ipv6" } | null {
  const [, address = "", written] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  const most = version === 6 ? 128 : 32;
  const bits = written === undefined ? most : Number(written);
  if (version === 0 || bits > most) return null;
  return { address, bits, family: version === 6 ? "ipv6" : "ipv4" };
}

/** The networks of these texts, each an address or in CIDR notation. Throws on one that is neither. */
export function networksOf(texts: readonly string[]): TrustedNetworks {
  const networks = new BlockList();
  for (const text of texts) {
    const parsed = parseNetwork(text);
    if (parsed === null) throw new Error(`${text} is no network; write it as 10.0.0.0/8`);
    networks.addSubnet(parsed.address, parsed.bits, parsed.family);
  }
  return networks;
}

/** Whether an address is in these networks. */
export function isTrusted(address: string, networks: TrustedNetworks): boolean {
  const version = isIP(address);
  return version !== 0 && networks.check(address, version === 6 ? "ipv6" : "ipv4");
}

/** An address without the IPv6 clothes in which a dual-stack socket shows IPv4 ones. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}

/**
 * Who calls: the peer, or, where the peer is a trusted proxy, the nearest address of `x-forwarded-for` that is none. What stands
 * further left was written by whoever that is, and may be a lie.
 */
export function clientAddress(peer: string, forwardedFor: string | undefined, networks: TrustedNetworks): string {
  let nearest = plainAddress(peer);
  const hops = forwardedFor?.split(",") ?? [];
  while (isTrusted(nearest, networks)) {
    const before = hopAddress(hops.pop() ?? "");
    if (before === null) break;
    nearest = before;
  }
  return nearest;
}

/** What counts as one client: an IPv4 address, or the 64 bits of an IPv6 one that a single subscriber has at least. */
export function clientOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = "", tail] = address.toLowerCase().replace(/%.*$/, "").split("::");
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  // An IPv4 address at the end stands for two groups.
  const written = groups.length + after.length + (address.includes(".") ? 1 : 0);
  const all = tail === undefined ? groups : [...groups, ...Array.from({ length: 8 - written }, () => "0"), ...after];
  return `${all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`;
}

// Some proxies write the port too.
function hopAddress(text: string): string | null {
  const bare = text.trim().replace(/^\[(.*)\](?::\d+)?$/, "$1");
  const address = plainAddress(isIP(bare) === 0 ? bare.replace(/:\d+$/, "") : bare);
  return isIP(address) === 0 ? null : address;
}
