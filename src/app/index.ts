/** Baseload as a library: check a configuration, serve it, and stop. */
export { compose, provideTinyModel } from "./compose.ts";
export type { Running, ServeOptions } from "./compose.ts";
export { ConfigError, defaultConfig, formatProblems, loadConfig } from "./config/load.ts";
export type { ConfigProblem, LoadedConfig } from "./config/load.ts";
export type { AppConfig } from "./config/types.ts";
