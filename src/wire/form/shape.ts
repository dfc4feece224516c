import type { AnswerEvent, FormAnswer } from "./answer.ts";
import type { FormRequest } from "./request.ts";

/** Something that the target's shape cannot express: where it stands in the client's body, and what it is in a few words. */
export interface Loss {
  /** Path of the member, such as `tools.0.strict` or `logit_bias`. */
  readonly path: string;
  readonly why: string;
  /** True where the answer means the same without it, like a mark for a cache; such a loss is never a reason to refuse. */
  readonly isHint: boolean;
}

/** A request in a backend's shape, and what of it that shape cannot express. */
export interface PrintedRequest {
  readonly body: Readonly<Record<string, unknown>>;
  readonly losses: readonly Loss[];
}

/** A client's request that cannot be understood: the member at fault and what is wrong with it. */
export interface Unreadable {
  readonly kind: "unreadable";
  readonly param: string;
  readonly detail: string;
}

/** A request that cannot be understood because of this member. */
export function unreadable(param: string, detail: string): Unreadable {
  return { kind: "unreadable", param, detail };
}

/** Reads one upstream's stream. Owned by one attempt. */
export interface AnswerReader {
  /** The events that the data of one upstream event comes to; null when it is not of this shape. */
  push(data: string): readonly AnswerEvent[] | null;
  /** The events that the end of the bytes comes to, where no `done` has been told; null when the answer was cut short. */
  end(): readonly AnswerEvent[] | null;
}

/** Prints one client's stream. Owned by one attempt. */
export interface AnswerPrinter {
  /** The client's bytes of one event, as text; often empty. What the shape cannot express is left out, as its documentation says. */
  push(event: AnswerEvent): string;
}

/** What a printer of answers needs to know of the request. */
export interface PrintContext {
  readonly requestId: string;
  /** The model as the client named it. */
  readonly model: string;
  /** The client's body as it was parsed, for shapes whose answers repeat what was asked for. */
  readonly asked: unknown;
  /** Wall time in whole seconds, for shapes that say when an answer was created. */
  readonly createdSeconds: number;
  /** Whether the client wants usage in its stream, where that is its choice. */
  readonly wantsUsage: boolean;
}

/** A shape that clients speak. Every function is pure. */
export interface ClientShape {
  /** The form of a request that the door has checked. */
  readRequest(value: unknown): FormRequest | Unreadable;
  /** A whole answer as JSON. */
  printAnswer(answer: FormAnswer, context: PrintContext): unknown;
  printer(context: PrintContext): AnswerPrinter;
}

/** A shape that backends speak. Every function is pure. */
export interface BackendShape {
  printRequest(request: FormRequest): PrintedRequest;
  /** A whole answer, or null when the JSON is none of this shape. */
  readAnswer(value: unknown): FormAnswer | { readonly kind: "failed"; readonly message: string } | null;
  reader(): AnswerReader;
}

/** Whether a request could not be read. */
export function isUnreadable(read: FormRequest | Unreadable): read is Unreadable {
  return "kind" in read;
}
