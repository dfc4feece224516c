import { z } from "zod";
import { count, optionalCount } from "./fields.ts";

const MOST = 1_000_000_000_000;

/** What a provider grants to the holder of a backend's key. */
export const quota = z
  .strictObject({
    requestsPerMinute: optionalCount("Requests a minute. Absent: no limit.", MOST),
    tokensPerMinute: optionalCount("Tokens a minute, of prompts and answers together. Absent: no limit.", MOST),
    requestsPerDay: optionalCount("Requests a day. Absent: no limit.", MOST),
    tokensPerDay: optionalCount("Tokens a day, of prompts and answers together. Absent: no limit.", MOST),
    concurrent: optionalCount("Requests at once, as `maxConcurrent`; the lower of both holds. Absent: no limit."),
    assumedOutputTokens: count(
      1,
      1024,
      "Output tokens that are set aside for a request that names no limit of its own, until it has ended.",
    ),
  })
  .describe("What its provider grants. Requests that it would refuse go elsewhere or wait. Absent: no limit.");
