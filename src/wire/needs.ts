import type { Needs } from "../base/job.ts";
import { arrayOf, objectOf } from "./json.ts";

const IMAGE_PARTS: ReadonlySet<unknown> = new Set(["image_url", "input_image", "image"]);
const AUDIO_PARTS: ReadonlySet<unknown> = new Set(["input_audio", "audio_url"]);

/**
 * What a request's parsed body asks of a model besides text: only what it plainly says, by the names of the APIs that are served
 * here: messages of a chat, or the input of a response.
 */
export function needsOf(value: unknown): Needs {
  const body = objectOf(value) ?? {};
  let images = false;
  let audio = false;
  for (const turn of [...arrayOf(body["messages"]), ...arrayOf(body["input"])]) {
    for (const part of arrayOf(objectOf(turn)?.["content"])) {
      const type = objectOf(part)?.["type"];
      images ||= IMAGE_PARTS.has(type);
      audio ||= AUDIO_PARTS.has(type);
    }
  }
  const formats = [
    body["response_format"],
    objectOf(body["text"])?.["format"],
    objectOf(body["output_config"])?.["format"],
  ];
  return {
    tools: arrayOf(body["tools"]).length > 0 || arrayOf(body["functions"]).length > 0,
    jsonSchema: formats.some((format) => objectOf(format)?.["type"] === "json_schema"),
    images,
    audio,
  };
}
