import { sseData, SseSplitter, type SseRun } from "../wire/sse.ts";

/** Cuts bytes into whole events. Owned by one attempt. */
export interface Splitter {
  /** Bytes of an event that is not yet complete. */
  readonly restBytes: number;
  push(chunk: Buffer): SseRun;
  /** What is left at the end of the bytes, as a last event where it is one. */
  end(): SseRun;
}

/** How a stream's events stand in its bytes. */
export interface Framing {
  /** The beginning of such a stream's content-type. */
  readonly contentType: string;
  splitter(): Splitter;
  /** The data of the event at these bytes, or null where it has none, like a comment. Throws when the bytes are damaged. */
  data(run: Buffer, start: number, end: number): string | null;
}

/** Server-sent events. */
export const SSE_FRAMING: Framing = {
  contentType: "text/event-stream",
  splitter: () => new SseSplitter(),
  data: sseData,
};
