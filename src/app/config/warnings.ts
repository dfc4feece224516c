import type { KernelConfig } from "../../kernel/config.ts";
import { matches } from "../../policy/model-names.ts";
import { loopback } from "./bind.ts";
import type { Finding } from "./problems.ts";
import { shown } from "./problems.ts";
import { nearest } from "./suggest.ts";
import type {
  AnthropicEngineConfig,
  AppConfig,
  CloudEngineConfig,
  DiscoveredConfig,
  OpenAiEngineConfig,
} from "./types.ts";

/** What a good file may say and yet hardly mean. */
export function warningsOf(config: AppConfig): readonly Finding[] {
  const { sites } = config.kernel;
  const backends = [...config.kernel.backends, ...config.discovered.map(({ backend }) => backend)];
  const upstreams = [
    ...config.engines.flatMap((engine) => ("sequences" in engine ? [] : [engine])),
    ...config.discovered.map(anyMember),
  ];
  const unused = sites
    .filter((site) => !backends.some((backend) => backend.site === site.id))
    .map((site) =>
      warn(["sites", site.id], "no backend stands at this site", "remove it, or name it in a backend's site"),
    );
  const crowded = config.engines.flatMap((engine) => {
    const most = backends.find((backend) => backend.id === engine.backendId)?.maxConcurrent ?? 0;
    if (!("sequences" in engine) || most <= engine.sequences) return [];
    return [
      warn(
        ["backends", engine.backendId, "maxConcurrent"],
        "more than sequences, so requests wait inside the engine",
        "raise sequences or lower it",
      ),
    ];
  });
  const unserved = unservedModels(config.kernel.models, backends);
  const { requestLog, logClientAddress } = config.telemetry;
  const unlogged =
    logClientAddress && requestLog === "none"
      ? [warn(["telemetry", "logClientAddress"], "there is no request log", "set requestLog, or remove it")]
      : [];
  return [...unused, ...unserved, ...crowded, ...unlogged, ...upstreams.flatMap(upstreamWarnings)];
}

/** What is said of a model that nobody has is probably said of another, whose name is spelled otherwise. */
function unservedModels(models: KernelConfig["models"], backends: KernelConfig["backends"]): Finding[] {
  const maps = backends.map((backend) => backend.models);
  // A backend that is asked for its names may have any.
  if (maps.includes(null)) return [];
  const served = maps.flatMap((map) => Object.keys(map ?? {}));
  return Object.keys(models)
    .filter((model) => !served.some((pattern) => matches(pattern, model)))
    .map((model) => {
      const near = nearest(model, served);
      const remedy = near === null ? "add it to a backend's models, or remove it" : `did you mean ${shown(near)}?`;
      return warn(["models", model], "no backend has a model of this name", remedy);
    });
}

/** A member as it may be: on another machine, for all that the file tells. */
function anyMember({ engine, scheme, path }: DiscoveredConfig): OpenAiEngineConfig {
  return { ...engine, url: `${scheme}://member${path}` };
}

function upstreamWarnings(engine: OpenAiEngineConfig | AnthropicEngineConfig | CloudEngineConfig): Finding[] {
  const path = ["backends", engine.backendId];
  const url = new URL(engine.url);
  const findings = Object.keys(engine.headers)
    .filter((header) => /api[-_]?key|token|secret|cookie/.test(header))
    .map((header) =>
      warn(
        [...path, "headers"],
        `the header ${header} may be a secret, and this file shows it`,
        "use key: if the backend takes a bearer token",
      ),
    );
  // A cloud always gets credentials of one kind or another.
  const isKeyed = engine.kind !== "openai" || engine.key !== null;
  if (isKeyed && url.protocol === "http:" && !loopback(url.hostname)) {
    findings.push(warn([...path, "url"], "the key travels unencrypted", "use https, unless the network is trusted"));
  }
  return findings;
}

function warn(path: Finding["path"], message: string, remedy: string): Finding {
  return { path, message: `warning: ${message}`, remedy };
}
