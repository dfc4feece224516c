import { z } from "zod";
import { milliseconds } from "./fields.ts";
import { say } from "./say.ts";

const NOT_ONE = say("needs exactly one of dns and file", "say where the members are found, once");
const NO_PORT = say("a port goes with dns only", "remove it: a file's targets name their own ports");

/** Where the members of a backend are found. */
export const discover = z
  .strictObject({
    dns: z
      .string()
      .regex(/^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?\.?$/, {
        error: say(
          "not a name that can be looked up",
          "write it such as vllm.default.svc, without scheme, port or path",
        ),
      })
      .optional()
      .describe(
        "Name whose members are looked up: with `port` its addresses (A and AAAA), without it its services (SRV, by the full name), which name their ports.",
      ),
    port: z.int().min(1).max(65_535).optional().describe("Port of every address of `dns`."),
    file: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Path of a JSON file, relative to this file, in the form of Prometheus\' file_sd: [{"targets": ["HOST:PORT"]}]. Read again when it changes.',
      ),
    everyMs: milliseconds(
      30_000,
      "Between two questions for the name, and between two looks at the file besides those at its changes.",
    ),
    keepMs: milliseconds(
      300_000,
      "How long the last members are kept while none are found or the question fails; then there are none.",
    ),
    scheme: z.enum(["http", "https"]).default("http").describe("How members are spoken to."),
    path: z
      .string()
      .regex(/^(\/[\w.~-]+)*$/, { error: say("not a path", "write it such as /v1, without a slash at its end") })
      .default("/v1")
      .describe("Path of each member's API, up to and including /v1 or its like."),
  })
  .refine((value) => (value.dns === undefined) !== (value.file === undefined), { error: NOT_ONE })
  .refine((value) => value.port === undefined || value.file === undefined, { error: NO_PORT, path: ["port"] })
  .meta({ oneOf: [{ required: ["dns"] }, { required: ["file"] }] });
