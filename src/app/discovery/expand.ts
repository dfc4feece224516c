import type { AppConfig, DiscoveredConfig, OpenAiEngineConfig } from "../config/types.ts";
import type { EmptyPool } from "../../kernel/config.ts";
import type { Target } from "./targets.ts";

/** The members of each discovered backend, by its name. */
export type Members = ReadonlyMap<string, readonly Target[]>;

/** The configuration with a backend and an engine for each member, after those that the file names one by one. */
export function expand(config: AppConfig, members: Members): AppConfig {
  const targetsOf = ({ name }: DiscoveredConfig): readonly Target[] => members.get(name) ?? [];
  const found = config.discovered.flatMap((each) => targetsOf(each).map((target) => memberOf(each, target)));
  const empty = config.discovered.filter((each) => targetsOf(each).length === 0);
  const backends = [...config.kernel.backends, ...found.map(({ backend }) => backend)];
  return {
    ...config,
    kernel: { ...config.kernel, backends, emptyPools: empty.map(poolOf) },
    engines: [...config.engines, ...found.map(({ engine }) => engine)],
  };
}

function poolOf({ name, backend }: DiscoveredConfig): EmptyPool {
  const { models, endpoints, contextTokens } = backend;
  return { id: name, models, endpoints, contextTokens };
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
