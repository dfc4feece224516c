/** Reads the messages of a chat request. */
import { badValue, unsupported } from "./errors.ts";
import { type Fields, isFields, isNonEmpty, isSet } from "./fields.ts";
import { type PastCall, readPastCalls } from "./request-tools.ts";

/** One turn of a chat as templates take it, its content already joined to one text. */
export type ChatMessage = {
  readonly role: string;
  readonly content: string;
  readonly name?: string;
  /** Of an assistant's turn that called tools; absent otherwise, since templates ask whether it is there. */
  readonly tool_calls?: readonly PastCall[];
  /** Of a tool's turn: the call that it answers. */
  readonly tool_call_id?: string;
};

/** Roles that chat templates know. `developer` is what newer clients call `system`. */
const ROLES: ReadonlySet<string> = new Set(["system", "developer", "user", "assistant", "tool"]);

/** The messages of a chat request; at least one. Throws `ApiError` 400. */
export function readMessages(given: unknown): readonly ChatMessage[] {
  if (!Array.isArray(given) || given.length === 0) throw badValue("messages", "it must be a non-empty array");
  const messages = given.map((message: unknown, index) => readMessage(message, `messages[${index}]`));
  const calls = new Set<string>();
  messages.forEach((message, index) => {
    for (const call of message.tool_calls ?? []) calls.add(call.id);
    if (message.tool_call_id !== undefined && !calls.has(message.tool_call_id))
      throw badValue(`messages[${index}].tool_call_id`, "it must be the id of an earlier message's tool call");
  });
  return messages;
}

function readMessage(message: unknown, param: string): ChatMessage {
  if (!isFields(message)) throw badValue(param, "it must be an object");
  const { role } = message;
  if (role === "function") throw unsupported(`${param}.role`, "the role function, which tool has replaced");
  if (typeof role !== "string" || !ROLES.has(role))
    throw badValue(`${param}.role`, `it must be one of ${[...ROLES].join(", ")}`);
  if (role !== "assistant" && isNonEmpty(message["tool_calls"]))
    throw badValue(`${param}.tool_calls`, "only assistants call tools");
  const content = readContent(message["content"], { role, param: `${param}.content` });
  const toolCalls = readPastCalls(message["tool_calls"], `${param}.tool_calls`);
  return {
    role: role === "developer" ? "system" : role,
    content,
    ...nameOf(message),
    ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
    ...(role === "tool" ? { tool_call_id: readCallId(message, `${param}.tool_call_id`) } : {}),
  };
}

function nameOf({ name }: Fields): { readonly name?: string } {
  return typeof name === "string" ? { name } : {};
}

function readCallId(message: Fields, param: string): string {
  const id = message["tool_call_id"];
  if (typeof id !== "string" || id === "") throw badValue(param, "it must be a non-empty string");
  return id;
}

function readContent(content: unknown, place: { role: string; param: string }): string {
  if (typeof content === "string") return content;
  // An assistant's turn may have no content, such as one that only refused or called tools.
  if (!isSet(content) && place.role === "assistant") return "";
  if (!Array.isArray(content)) throw badValue(place.param, "it must be a string or an array of text parts");
  return content.map((part: unknown, index) => readPart(part, `${place.param}[${index}]`)).join("");
}

function readPart(part: unknown, param: string): string {
  if (!isFields(part)) throw badValue(param, "it must be an object with a type");
  if (part["type"] !== "text")
    throw unsupported(param, `content parts of type ${JSON.stringify(part["type"] ?? null)}; only text`);
  if (typeof part["text"] !== "string") throw badValue(`${param}.text`, "it must be a string");
  return part["text"];
}
