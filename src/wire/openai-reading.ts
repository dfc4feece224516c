import type { Usage } from "../base/job.ts";
import { type Piece, readPiece } from "./completion.ts";
import {
  type AnswerReading,
  broken,
  type Broken,
  type Done,
  errorAnswer,
  errorEvent,
  jsonOf,
  type Verdict,
} from "./reading.ts";
import { SSE_DONE } from "./sse.ts";

const DONE: Done = { kind: "done", bytes: SSE_DONE };

/** An OpenAI completion for a client that speaks the same: bytes pass, but for usage that only we asked for. Owned by one attempt. */
export class OpenAiReading implements AnswerReading {
  readonly passesComments = true;
  hasContent = false;
  text = "";
  pieces = 0;
  reported: Usage | null = null;
  finishReason: string | null = null;
  readonly #wantsUsage: boolean;

  constructor(wantsUsage: boolean) {
    this.#wantsUsage = wantsUsage;
  }

  event(data: string): Verdict {
    if (data === "[DONE]") return DONE;
    const value = jsonOf(data);
    if (value === undefined) return broken("an event that is not JSON");
    const piece = readPiece(value);
    if (piece.malformed) return broken("an event that is not a completion");
    if (piece.error !== null) return errorEvent(piece.error);
    this.#take(piece);
    return piece.isUsageOnly && !this.#wantsUsage ? "hide" : "relay";
  }

  end(): Done | Broken {
    // Some engines leave `[DONE]` out; the answer is complete all the same, and clients wait for it.
    return this.finishReason === null ? broken("the stream ended without a finish reason", "upstream_broken") : DONE;
  }

  whole(body: Buffer): Done | Broken {
    const value = jsonOf(body.toString("utf8"));
    if (value === undefined) return broken("an answer that is not JSON");
    const piece = readPiece(value);
    if (piece.error !== null) return errorAnswer(piece.error);
    if (piece.malformed) return broken("an answer that is not a completion");
    this.#take(piece);
    return { kind: "done", bytes: body };
  }

  #take(piece: Piece): void {
    if (piece.usage !== null) this.reported = piece.usage;
    if (piece.finishReason !== null) this.finishReason = piece.finishReason;
    if (!piece.hasContent) return;
    this.hasContent = true;
    if (piece.text === "") return;
    this.text += piece.text;
    this.pieces += 1;
  }
}
