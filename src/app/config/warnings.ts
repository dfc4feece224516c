import { loopback } from "./bind.ts";
import type { Finding } from "./problems.ts";
import type { AnthropicEngineConfig, AppConfig, DiscoveredConfig, OpenAiEngineConfig } from "./types.ts";

/** What a good file may say and yet hardly mean. */
export function warningsOf(config: AppConfig): readonly Finding[] {
  const { sites } = config.kernel;
  const backends = [...config.kernel.backends, ...config.discovered.map(({ backend }) => backend)];
  const upstreams = [
    ...config.engines.filter((engine) => engine.kind !== "embedded"),
    ...config.discovered.map(anyMember),
  ];
  const unused = sites
    .filter((site) => !backends.some((backend) => backend.site === site.id))
    .map((site) =>
      warn(["sites", site.id], "no backend stands at this site", "remove it, or name it in a backend's site"),
    );
  const crowded = config.engines.flatMap((engine) => {
    const most = backends.find((backend) => backend.id === engine.backendId)?.maxConcurrent ?? 0;
    if (engine.kind !== "embedded" || most <= engine.sequences) return [];
    return [
      warn(
        ["backends", engine.backendId, "maxConcurrent"],
        "more than sequences, so requests wait inside the engine",
        "raise sequences or lower it",
      ),
    ];
  });
  return [...unused, ...crowded, ...upstreams.flatMap(upstreamWarnings)];
}

/** A member as it may be: on another machine, for all that the file tells. */
function anyMember({ engine, scheme, path }: DiscoveredConfig): OpenAiEngineConfig {
  return { ...engine, url: `${scheme}://member${path}` };
}

function upstreamWarnings(engine: OpenAiEngineConfig | AnthropicEngineConfig): Finding[] {
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
  if (engine.key !== null && url.protocol === "http:" && !loopback(url.hostname)) {
    findings.push(warn([...path, "url"], "the key travels unencrypted", "use https, unless the network is trusted"));
  }
  return findings;
}

function warn(path: Finding["path"], message: string, remedy: string): Finding {
  return { path, message: `warning: ${message}`, remedy };
}
