import { z } from "zod";
import { configSchema } from "./schema.ts";

/** A node of a JSON Schema, as far as it is read here. */
export interface JsonSchemaNode {
  readonly [keyword: string]: unknown;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchemaNode>>;
  readonly additionalProperties?: JsonSchemaNode | false;
  readonly items?: JsonSchemaNode;
  readonly oneOf?: readonly JsonSchemaNode[];
  readonly anyOf?: readonly JsonSchemaNode[];
}

/** The JSON Schema (draft 2020-12) of baseload.yaml, for editors. What spans several keys is checked by `loadConfig` only. */
export function configJsonSchema(): JsonSchemaNode {
  const { $schema, ...rest } = z.toJSONSchema(configSchema, { target: "draft-2020-12", io: "input" }) as JsonSchemaNode;
  return { $schema, $id: "baseload.schema.json", ...rest };
}

/** Its text as it is published: two spaces, one trailing newline. */
export function configJsonSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}
