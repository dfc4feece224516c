import { memberText } from "./edit.ts";
import { isObject, type JsonObject } from "./json.ts";
import { jsonOf } from "./reading.ts";

/** One request of a batch. */
export interface BatchLine {
  readonly customId: string;
  /** The request's body, as the bytes that came. */
  readonly body: Buffer;
}

/** What is wrong with a line, in the words of OpenAI's `errors.data`. */
export interface LineProblem {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
}

/** States of a batch (OpenAI API reference, "The batch object"). */
export type BatchStatus =
  | "validating"
  | "failed"
  | "in_progress"
  | "finalizing"
  | "completed"
  | "expired"
  | "cancelling"
  | "cancelled";

/** A batch as clients see it; times are in seconds since 1970. */
export interface Batch {
  readonly id: string;
  readonly object: "batch";
  readonly endpoint: string;
  readonly errors: {
    readonly object: "list";
    readonly data: readonly (LineProblem & { readonly line: number })[];
  } | null;
  readonly input_file_id: string;
  readonly completion_window: "24h";
  readonly status: BatchStatus;
  readonly output_file_id: string | null;
  readonly error_file_id: string | null;
  readonly created_at: number;
  readonly in_progress_at: number | null;
  readonly expires_at: number;
  readonly finalizing_at: number | null;
  readonly completed_at: number | null;
  readonly failed_at: number | null;
  readonly expired_at: number | null;
  readonly cancelling_at: number | null;
  readonly cancelled_at: number | null;
  readonly request_counts: { readonly total: number; readonly completed: number; readonly failed: number };
  readonly metadata: JsonObject | null;
}

/** A line of a batch's input for requests to `path`, or what is wrong with it. */
export function parseBatchLine(text: string, path: string): BatchLine | LineProblem {
  const value = jsonOf(text);
  if (!isObject(value)) return { code: "invalid_json_line", message: "The line is not a JSON object.", param: null };
  const { custom_id: customId, method, url, body } = value;
  if (typeof customId !== "string" || customId === "") {
    return { code: "missing_required_parameter", message: "`custom_id` must be a text.", param: "custom_id" };
  }
  if (method !== "POST") return { code: "invalid_method", message: "`method` must be POST.", param: "method" };
  if (url !== path) {
    return { code: "invalid_url", message: `\`url\` must be the batch's endpoint, ${path}.`, param: "url" };
  }
  const raw = memberText(Buffer.from(text), "body");
  if (!isObject(body) || raw === null) {
    return { code: "invalid_body", message: "`body` must be an object.", param: "body" };
  }
  return { customId, body: raw };
}

/** Whether a line is good. */
export function isBatchLine(line: BatchLine | LineProblem): line is BatchLine {
  return "customId" in line;
}

/** What became of one line: an HTTP answer, or why there is none. */
export type LineOutcome =
  | {
      readonly status: number;
      readonly requestId: string;
      readonly body: Buffer;
      /** Members of the request that the backend was not told, which a header says elsewhere. */
      readonly dropped: readonly string[];
    }
  | { readonly code: string; readonly message: string };

/** The line of an output or error file. */
export function printOutcome(id: string, customId: string, outcome: LineOutcome): string {
  const head = `{"id":${JSON.stringify(id)},"custom_id":${JSON.stringify(customId)}`;
  if ("code" in outcome) return `${head},"response":null,"error":${JSON.stringify(outcome)}}\n`;
  const text = outcome.body.toString("utf8");
  // The bytes stand as they are, so that no digit is lost; but a line may hold no end of a line.
  const body = /[\r\n]/.test(text) ? JSON.stringify(jsonOf(text)) : text;
  const dropped = outcome.dropped.length === 0 ? "" : `,"dropped":${JSON.stringify(outcome.dropped)}`;
  const about = `"status_code":${outcome.status},"request_id":${JSON.stringify(outcome.requestId)}${dropped}`;
  const response = `{${about},"body":${body}}`;
  return `${head},"response":${response},"error":null}\n`;
}
