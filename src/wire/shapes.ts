import type { Endpoint } from "../base/job.ts";
import { ANTHROPIC_CLIENT, anthropicBackend, DEFAULT_MAX_TOKENS } from "./anthropic/shape.ts";
import type { BackendShape, ClientShape } from "./form/shape.ts";
import { OPENAI_CHAT } from "./openai-chat/shape.ts";
import { OPENAI_RESPONSES } from "./responses/shape.ts";

/** Endpoints whose requests are conversations, which one API's can be turned into another's. */
export type Conversation = Exclude<Endpoint, "completions" | "embeddings" | "count_tokens">;

/** The shapes of conversations, by the endpoint that has them. */
export const SHAPES: Readonly<Record<Conversation, ClientShape & BackendShape>> = {
  chat: OPENAI_CHAT,
  responses: OPENAI_RESPONSES,
  messages: { ...ANTHROPIC_CLIENT, ...anthropicBackend({ maxTokens: DEFAULT_MAX_TOKENS }) },
};

// The order in which a backend's own endpoints are converted to: what loses least comes first.
const TARGETS: readonly Conversation[] = ["chat", "responses", "messages"];

/** Whether this is a conversation's endpoint. */
export function isConversation(endpoint: Endpoint): endpoint is Conversation {
  return Object.hasOwn(SHAPES, endpoint);
}

/** The endpoint of a backend's own that a conversation is converted for, or null when it has none. */
export function targetOf(spoken: readonly Endpoint[]): Conversation | null {
  return TARGETS.find((target) => spoken.includes(target)) ?? null;
}

/** What a backend serves that speaks none of these and has conversations of its own shape. */
export const CONVERSATIONS = Object.keys(SHAPES) as readonly Conversation[];

/** What a backend can serve that speaks these: them, and every conversation where it speaks one. */
export function servedBy(spoken: readonly Endpoint[]): readonly Endpoint[] {
  const conversations = targetOf(spoken) === null ? [] : CONVERSATIONS;
  return [...new Set([...spoken, ...conversations])];
}
