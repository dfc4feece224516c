import type { Losses } from "../form/losses.ts";

/** How hard to think, in OpenAI's words: Anthropic's `max` is above the highest of them, which is sent in its place. */
export function printEffort(effort: string | null, losses: Losses): string | null {
  if (effort !== "max") return effort;
  losses.hint("output_config.effort", "this API has no effort `max`; it is sent as xhigh");
  return "xhigh";
}
