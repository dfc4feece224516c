import { Type } from "typebox";
import { Compile } from "typebox/compile";

const nullable = <T extends Type.TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));

const block = Type.Object({ type: Type.String() });

const prompt = {
  model: Type.String({ minLength: 1, maxLength: 256 }),
  messages: Type.Array(
    Type.Object({
      role: Type.Union([Type.Literal("user"), Type.Literal("assistant"), Type.Literal("system")]),
      content: Type.Union([Type.String(), Type.Array(block)]),
    }),
    { minItems: 1 },
  ),
  system: nullable(Type.Union([Type.String(), Type.Array(block)])),
  tools: nullable(Type.Array(Type.Object({}))),
  tool_choice: nullable(block),
  thinking: nullable(block),
  output_config: nullable(Type.Object({})),
};

/** What the door reads of a request of the Messages API; other members are the backend's business. */
export const messagesRequest = Compile(
  Type.Object({
    ...prompt,
    max_tokens: Type.Integer({ minimum: 0 }),
    stream: nullable(Type.Boolean()),
    stop_sequences: nullable(Type.Array(Type.String())),
    temperature: nullable(Type.Number()),
    top_p: nullable(Type.Number()),
    top_k: nullable(Type.Integer({ minimum: 0 })),
    metadata: nullable(Type.Object({ user_id: nullable(Type.String()) })),
  }),
);

/** What the door reads of a request to count a prompt's tokens. */
export const countRequest = Compile(Type.Object(prompt));
