import { crossCheck } from "./checks.ts";
import { readYaml } from "./document.ts";
import type { YamlFile } from "./document.ts";
import { explain } from "./explain.ts";
import { ConfigError, formatProblems, pathText } from "./problems.ts";
import type { ConfigProblem, Finding } from "./problems.ts";
import { resolveConfig } from "./resolve.ts";
import { configSchema, DECIMAL_KEYS } from "./schema.ts";
import type { ParsedConfig } from "./schema.ts";
import type { AppConfig } from "./types.ts";
import { isRecord } from "./values.ts";
import { warningsOf } from "./warnings.ts";

export { ConfigError, formatProblems } from "./problems.ts";
export type { ConfigProblem } from "./problems.ts";

/** A configuration that can be used. `warnings` are lines to print: what is allowed and probably not meant. */
export interface LoadedConfig {
  readonly config: AppConfig;
  readonly warnings: readonly string[];
}

/**
 * Reads the text of a baseload.yaml. `file` is its path: it begins each problem, and relative paths in the file start from its
 * folder. Reads nothing but the text: secrets and models are looked up by those who use them. Throws `ConfigError` with all
 * problems in the order of the file.
 */
export function loadConfig(text: string, file: string): LoadedConfig {
  const yaml = readYaml(text, DECIMAL_KEYS);
  const findings = [...yaml.findings];
  let parsed: ParsedConfig | null = null;
  if (yaml.sound && !isRecord(yaml.value)) findings.push(notMapping(yaml.value));
  else if (yaml.sound) {
    const result = configSchema.safeParse(yaml.value);
    if (result.success) parsed = result.data;
    else findings.push(...result.error.issues.flatMap((issue) => explain(issue, yaml.value, configSchema)));
    findings.push(...crossCheck(yaml.value));
  }
  if (findings.length > 0 || parsed === null) throw new ConfigError(located(findings, yaml, file));
  const config = resolveConfig(parsed, file);
  const warnings = [...yaml.warnings, ...warningsOf(config)];
  return { config, warnings: located(warnings, yaml, file).map((warning) => formatProblems([warning])) };
}

/** What the program runs on without a file: one embedded backend with the tiny model, for this machine only. */
export function defaultConfig(): AppConfig {
  const parsed = configSchema.parse({ version: 1, backends: { embedded: { engine: "embedded" } } });
  return resolveConfig(parsed, "baseload.yaml");
}

function notMapping(value: unknown): Finding {
  const message = value === null ? "the file is empty" : "the file must be a mapping of keys to values";
  return { path: [], message, remedy: "begin it with version: 1 and add backends:; see examples/" };
}

function located(findings: readonly Finding[], yaml: YamlFile, file: string): readonly ConfigProblem[] {
  return findings
    .map(({ path, message, remedy, position }) => ({
      file,
      ...(position ?? yaml.positionOf(path)),
      path: pathText(path),
      message,
      remedy,
    }))
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
}
