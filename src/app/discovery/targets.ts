import { isIPv6 } from "node:net";

/** Where a member answers. IPv6 addresses are in brackets, so that it goes into a URL as it is. */
export type Target = string;

/** `HOST:PORT` of a host and a port, IPv6 addresses in brackets. */
export function targetOf(host: string, port: number): Target {
  return `${isIPv6(host) ? `[${host}]` : host.replace(/\.$/, "").toLowerCase()}:${port}`;
}

/** Targets in order, each once, so that the same answer in another order is the same. */
export function sorted(targets: readonly Target[]): readonly Target[] {
  return [...new Set(targets)].toSorted();
}

/** The targets of a file in the form of Prometheus' file_sd; labels are left aside. Throws in words. */
export function parseTargets(text: string): readonly Target[] {
  let groups: unknown;
  try {
    groups = JSON.parse(text);
  } catch {
    throw new Error("the file is not JSON");
  }
  if (!Array.isArray(groups)) throw new Error('the file is not a list such as [{"targets": ["10.0.0.5:8000"]}]');
  return sorted(groups.flatMap((group: unknown, index) => targetsOf(group, index)));
}

function targetsOf(group: unknown, index: number): readonly Target[] {
  const targets = typeof group === "object" && group !== null ? (group as Record<string, unknown>)["targets"] : null;
  if (!Array.isArray(targets)) throw new Error(`group ${index} of the file has no list of targets`);
  return targets.map((target: unknown) => {
    const found = typeof target === "string" ? parseTarget(target) : null;
    if (found === null) throw new Error(`group ${index} of the file has a target that is not HOST:PORT`);
    return found;
  });
}

function parseTarget(text: string): Target | null {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?):(\d{1,5})$/.exec(text);
  const [, host = "", digits = ""] = match ?? [];
  const port = Number(digits);
  if (match === null || port < 1 || port > 65_535) return null;
  return URL.canParse(`http://${text}/`) ? `${host.toLowerCase()}:${port}` : null;
}
