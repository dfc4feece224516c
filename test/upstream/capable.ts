import { capableAnswer } from "../capable/openai.ts";
import type { JsonObject } from "../../src/wire/json.ts";
import { event, text } from "./actions.ts";
import { type Behaviour, JSON_HEAD, STREAM_HEAD } from "./script.ts";

/** Does what its request asks: calls the tools, fits the schema, tells the probabilities. */
export const CAPABLE: Behaviour = {
  says: "does what it is asked, to the letter",
  answer({ bodyText, kind, stream, includeUsage }) {
    const answer = capableAnswer(JSON.parse(bodyText) as JsonObject, kind === "chat");
    if (answer.error !== null) {
      const error = { message: `mock: ${answer.error}`, type: "invalid_request_error", param: null, code: null };
      return { status: 400, headers: JSON_HEAD, actions: [text(JSON.stringify({ error }))] };
    }
    if (!stream) return { status: 200, headers: JSON_HEAD, actions: [text(JSON.stringify(answer.whole))] };
    const chunks = includeUsage ? answer.chunks : answer.chunks.slice(0, -1);
    const events = chunks.map((chunk) => event(JSON.stringify(chunk)));
    return { status: 200, headers: STREAM_HEAD, actions: [...events, event("[DONE]")] };
  },
};
