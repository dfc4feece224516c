import type { Endpoint } from "../base/job.ts";
import type { ClientShape } from "../wire/form/shape.ts";
import { OPENAI_CHAT } from "../wire/openai-chat/shape.ts";

/** The shapes of clients whose requests can be converted for backends of another API, by what they called. */
export const CLIENT_SHAPES: Readonly<Partial<Record<Endpoint, ClientShape>>> = { chat: OPENAI_CHAT };
