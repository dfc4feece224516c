import { z } from "zod";
import { ownFlag } from "../../engines/llama-server/flags.ts";
import { optionalCount } from "./fields.ts";
import { say } from "./say.ts";

/** Which GGUF a backend of this machine runs, and for how many requests at once. */
export const localFields = {
  sequences: z.int().min(1).max(256).default(4).describe("Requests decoded together in one batch."),
  maxConcurrent: optionalCount("Requests it may hold at once. Absent: as `sequences`."),
};

/** What llama.cpp's own server is told besides. */
export const llamaServerFields = {
  engine: z
    .literal("llama-server")
    .describe("llama.cpp's own server, which Baseload starts on a private socket, watches and ends. Not on Windows."),
  binary: z
    .string()
    .min(1)
    .default("llama-server")
    .describe("The program: a name on PATH, or a path relative to this file."),
  model: z
    .string()
    .min(1)
    .describe("Path of a GGUF file, relative to this file, or the name of a model that was pulled."),
  contextTokens: optionalCount(
    "Tokens that prompt and answer of one request may fill together; the server is told that of all sequences. Absent: the server's choice.",
  ),
  gpuLayers: z
    .int()
    .min(0)
    .optional()
    .describe("Layers of the model that the accelerator has. Absent: the server's choice."),
  args: z
    .array(z.string().min(1))
    .default([])
    .check((context) => {
      const own = ownFlag(context.value);
      if (own === null) return;
      const fault = say(
        "has a flag that Baseload sets itself",
        "use the backend's keys for the model, its name and its size",
      );
      context.issues.push({ code: "custom", message: fault, path: [context.value.indexOf(own)], input: null });
    })
    .describe('Further flags for the server, as they are, such as [--threads, "8"].'),
};
