/** The ways in which models write tool calls, and which of them a model's template teaches. */
import { literal } from "../grammar/gbnf.ts";

/** One way of writing calls: `open`, then objects with a name and arguments, then `close`. */
export type ToolFormat = {
  readonly name: "hermes" | "llama" | "mistral" | "generic";
  /** What begins a call, or a run of calls, wherever it stands in the answer. Null where only the answer's beginning tells. */
  readonly open: string | null;
  /** Whether an answer that begins with a bracket is a call too. */
  readonly bare: boolean;
  /** What stands after the marker and around the objects; white space between the parts is free. */
  readonly list: { readonly open: string; readonly separators: readonly string[]; readonly close: string };
  /** Whether each call has its own marker. */
  readonly markerEach: boolean;
  /** The member that holds the arguments. */
  readonly argumentsKey: "arguments" | "parameters";
  /** Letters and digits of a call's id after its prefix. */
  readonly id: { readonly prefix: string; readonly length: number };
};

const OPENAI_ID = { prefix: "call_", length: 24 } as const;

/** Hermes, Qwen and many others: each call between tags. */
const HERMES: ToolFormat = {
  name: "hermes",
  open: "<tool_call>",
  bare: false,
  list: { open: "", separators: [], close: "</tool_call>" },
  markerEach: true,
  argumentsKey: "arguments",
  id: OPENAI_ID,
};

/** Llama 3.1 and later: the answer is the call, with or without a tag before it. */
const LLAMA: ToolFormat = {
  name: "llama",
  open: "<|python_tag|>",
  bare: true,
  list: { open: "", separators: [";"], close: "" },
  markerEach: false,
  argumentsKey: "parameters",
  id: OPENAI_ID,
};

/** Mistral: one array of all calls. Its templates want ids of nine letters or digits. */
const MISTRAL: ToolFormat = {
  name: "mistral",
  open: "[TOOL_CALLS]",
  bare: false,
  list: { open: "[", separators: [","], close: "]" },
  markerEach: false,
  argumentsKey: "arguments",
  id: { prefix: "", length: 9 },
};

/** A template that shows tools and none of the tags above: the answer is one call. */
const GENERIC: ToolFormat = {
  name: "generic",
  open: null,
  bare: true,
  list: { open: "", separators: [";"], close: "" },
  markerEach: false,
  argumentsKey: "arguments",
  id: OPENAI_ID,
};

/** Tags of ways that are not read here: their calls would reach the client as text. */
const UNKNOWN_TAGS = [
  "<function=",
  "[ARGS]",
  "<｜tool▁calls▁begin｜>",
  "<|tool_calls_section_begin|>",
  "<arg_key>",
  "<|channel|>",
];

/**
 * The way that a template teaches, by its tags; null for a template that mentions no tools. `unknown` is a tag of a way that is
 * not read here.
 */
export function toolFormatOf(template: string): ToolFormat | { readonly unknown: string } | null {
  const unknown = UNKNOWN_TAGS.find((tag) => template.includes(tag));
  if (unknown !== undefined) return { unknown };
  if (template.includes("<tool_call>")) return HERMES;
  if (template.includes("[TOOL_CALLS]")) return MISTRAL;
  if (!/\btools\b/.test(template)) return null;
  if (template.includes("<|python_tag|>") || template.includes('"parameters"')) return LLAMA;
  return GENERIC;
}

/** The texts that may be control tokens of the model and must be seen all the same. */
export function markersOf(format: ToolFormat): readonly string[] {
  return [format.open ?? "", format.markerEach ? format.list.close : ""].filter((marker) => marker !== "");
}

/** Expressions for a run of calls, each of which is `call`; one only where they may not be several. */
export function callsGrammar(format: ToolFormat, call: string, parallel: boolean): string {
  const { open, list, markerEach } = format;
  const [separator = ""] = list.separators;
  if (markerEach) {
    const one = `${literal(`${open ?? ""}\n`)} ${call} ${literal(`\n${list.close}`)}`;
    return parallel ? `${one} (${literal("\n")} ${one})*` : one;
  }
  const several = parallel ? ` (${literal(`${separator} `)} ${call})*` : "";
  // A format that may stand bare is written so: the tag is for the model's own tools.
  const head = (format.bare ? "" : (open ?? "")) + list.open;
  return [head === "" ? "" : literal(head), `${call}${several}`, list.close === "" ? "" : literal(list.close)]
    .filter((part) => part !== "")
    .join(" ");
}
