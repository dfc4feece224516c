import type { Usage } from "../../base/job.ts";
import { UNKNOWN_USAGE } from "../../base/job.ts";
import { numberOf, objectOf } from "../json.ts";
import { type AnswerReading, broken, type Broken, type Done, jsonOf, type Verdict } from "../reading.ts";

/** Counting goes through no model: it uses no tokens, which is a fact. */
const NOTHING_USED: Usage = { ...UNKNOWN_USAGE, inputTokens: 0, outputTokens: 0, method: "provider_reported" };

/** An upstream's count of a prompt's tokens, which passes as it is. Owned by one attempt. */
export class CountReading implements AnswerReading {
  readonly passesComments = false;
  readonly text = "";
  readonly pieces = 0;
  readonly finishReason = null;
  hasContent = false;
  reported: Usage | null = null;

  event(): Verdict {
    return broken("a stream in place of a count");
  }

  end(): Broken {
    return broken("a stream in place of a count");
  }

  whole(body: Buffer): Done | Broken {
    const count = numberOf(objectOf(jsonOf(body.toString("utf8")))?.["input_tokens"]);
    if (count === null) return broken("an answer that is not a count of tokens");
    this.hasContent = true;
    this.reported = NOTHING_USED;
    return { kind: "done", bytes: body };
  }
}
