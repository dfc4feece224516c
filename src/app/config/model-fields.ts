import { z } from "zod";
import { CAPABILITIES, MODALITIES } from "../../base/model.ts";
import { optionalCount } from "./fields.ts";

/** A model's name, as clients or backends write it. */
export const modelName = z.string().min(1);

/** Names of models and families of them. */
function patterns(meaning: string) {
  return z.array(modelName).min(1).optional().describe(meaning);
}

/** Which models somebody may use. `whose` is whom the rules are about. */
export function modelRules(whose: string) {
  return {
    models: patterns(
      `Models that ${whose} may use, as names, aliases or families such as gpt-*. Any other is as if it were not there. Absent: every one.`,
    ),
    denyModels: patterns(`Models that ${whose} may not use, whatever \`models\` says, by an alias neither.`),
  };
}

const modalities = (meaning: string) => z.array(z.enum(MODALITIES)).min(1).optional().describe(meaning);

const CAN: Readonly<Record<(typeof CAPABILITIES)[number], string>> = {
  tools: "Whether it calls tools. If not, requests that offer some are refused.",
  jsonSchema: "Whether it answers by a JSON Schema. If not, requests that want that are refused.",
  reasoning: "Whether it reasons before it answers. Shown only.",
  embeddings: "Whether it makes embeddings. If not, requests for them are refused.",
};
const can = (name: (typeof CAPABILITIES)[number]) => z.boolean().optional().describe(`${CAN[name]} Absent: unknown.`);

/** What is known of a model, or another name for models. */
export const modelEntry = z.strictObject({
  aliases: z.array(modelName).min(1).optional().describe("Other names that clients may use for it."),
  aliasOf: z
    .union([modelName, z.array(modelName).min(1)])
    .optional()
    .describe(
      "Makes this name an alias: of a model, or of several in order, of which the first is taken that some backend may serve. Nothing else is said of an alias.",
    ),
  contextTokens: optionalCount(
    "Tokens that prompt and answer may fill together. A request that is sure to need more is refused. Absent: unknown.",
  ),
  maxOutputTokens: optionalCount(
    "The most tokens of one answer. A request that asks for more is refused. Absent: unknown.",
  ),
  modalities: z
    .strictObject({
      input: modalities(
        "What it reads. Requests with images or audio are refused where these are missing. Absent: unknown.",
      ),
      output: modalities("What it makes. Absent: unknown."),
    })
    .optional()
    .describe("What it reads and makes."),
  capabilities: z
    .strictObject({
      tools: can("tools"),
      jsonSchema: can("jsonSchema"),
      reasoning: can("reasoning"),
      embeddings: can("embeddings"),
    })
    .optional()
    .describe("What it can do besides."),
  description: z.string().min(1).max(2000).optional().describe("Shown at /v1/models."),
  ownedBy: z.string().min(1).max(200).optional().describe("`owned_by` at /v1/models. Absent: baseload."),
});
