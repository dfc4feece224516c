import type { AppConfig, DiscoveredConfig, OpenAiEngineConfig } from "../config/types.ts";
import type { Target } from "./targets.ts";

/** The members of each discovered backend, by its name. */
export type Members = ReadonlyMap<string, readonly Target[]>;

/** The configuration with a backend and an engine for each member, after those that the file names one by one. */
export function expand(config: AppConfig, members: Members): AppConfig {
  const found = config.discovered.flatMap((each) =>
    (members.get(each.name) ?? []).map((target) => memberOf(each, target)),
  );
  return {
    ...config,
    kernel: { ...config.kernel, backends: [...config.kernel.backends, ...found.map(({ backend }) => backend)] },
    engines: [...config.engines, ...found.map(({ engine }) => engine)],
  };
}

function memberOf(
  { name, backend, engine, scheme, path }: DiscoveredConfig,
  target: Target,
): { readonly backend: DiscoveredConfig["backend"]; readonly engine: OpenAiEngineConfig } {
  const id = `${name}/${target}`;
  return {
    backend: { ...backend, id },
    engine: { ...engine, backendId: id, url: `${scheme}://${target}${path}` },
  };
}
