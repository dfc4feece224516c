import type { Endpoint, Job, Principal } from "../base/job.ts";
import type { RunCall } from "../base/run.ts";
import type { ParsedRequest } from "../wire/request.ts";

/** What makes a job of a parsed request. */
export interface JobParts {
  readonly requestId: string;
  readonly principal: Omit<Principal, "user" | "project">;
  readonly class: string;
  readonly endpoint: Endpoint;
  readonly bodyBytes: number;
  readonly run: RunCall | null;
}

/** What dispatch is told of a request. */
export function jobOf(request: ParsedRequest, parts: JobParts): Job {
  return {
    requestId: parts.requestId,
    principal: { ...parts.principal, project: null, user: request.user },
    class: parts.class,
    model: request.model,
    endpoint: parts.endpoint,
    stream: request.stream,
    wantsUsage: request.wantsUsage,
    bodyBytes: parts.bodyBytes,
    promptTextLength: request.promptTextLength,
    maxOutputTokens: request.maxOutputTokens,
    needs: request.needs,
    attributes: {},
    prefixHashes: [],
    blockTokens: null,
    run: parts.run,
  };
}
