/** The grammar of an answer that must, or may, call tools. */
import { either, GrammarRules, literal } from "../grammar/gbnf.ts";
import { SchemaCompiler } from "../grammar/json-schema.ts";
import { jsonObject } from "../grammar/json-text.ts";
import type { Tool, ToolUse } from "../request-tools.ts";
import { callsGrammar, type ToolFormat } from "./format.ts";
import { freeText } from "./free-text.ts";

/**
 * Text in which a call's arguments are valid by their tool's schema. With a choice of `required` it is calls alone; otherwise
 * free text, JSON by `content` where that is given, or calls. `content` is a schema. Throws `SchemaError`.
 */
export function toolGrammar(use: ToolUse, format: ToolFormat, content: { readonly schema: unknown } | null): string {
  const rules = new GrammarRules();
  const call = rules.add(
    "call",
    either(use.callable.map((tool) => callOf(rules, tool, { format, isForced: use.choice === "required" }))),
  );
  const calls = rules.add("calls", callsGrammar(format, call, use.parallel));
  if (use.choice === "required") return rules.text(calls);
  if (content !== null) {
    const value = rules.add("content", new SchemaCompiler(rules, content.schema).compile(content.schema, ""));
    return rules.text(`${value} | ${calls}`);
  }
  const text = freeText(rules, format);
  // Only a marker can end a text that has begun; a bare call is the whole answer.
  return rules.text(format.bare ? `${text} | ${calls}` : `${text} ${calls}?`);
}

function callOf(
  rules: GrammarRules,
  tool: Tool,
  { format, isForced }: { readonly format: ToolFormat; readonly isForced: boolean },
): string {
  // Without `strict`, and where the model calls of its own accord, its arguments are its own.
  const value =
    isForced || tool.strict
      ? new SchemaCompiler(rules, tool.parameters).compile(tool.parameters, "")
      : jsonObject(rules);
  const head = literal(`{"name": ${JSON.stringify(tool.name)}, ${JSON.stringify(format.argumentsKey)}: `);
  return `${head} ${rules.add(`arguments-${tool.name}`, value)} "}"`;
}
