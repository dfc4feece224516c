import {
  type AnswerReading,
  broken,
  type Broken,
  type Done,
  errorAnswer,
  errorEvent,
  jsonOf,
  type Verdict,
} from "../reading.ts";
import { type AnswerEvent, eventsOf, type FormAnswer } from "./answer.ts";
import { FormMeter } from "./meter.ts";
import type { AnswerPrinter, AnswerReader, BackendShape, ClientShape, PrintContext } from "./shape.ts";

const OUT_OF_SHAPE = "an event that is not of the upstream's shape";
const NO_END = "the stream ended without its last event";

/** The form of a whole answer's body, or why there is none. */
function wholeOf(shape: BackendShape, body: Buffer): FormAnswer | Broken {
  const value = jsonOf(body.toString("utf8"));
  if (value === undefined) return broken("an answer that is not JSON");
  const answer = shape.readAnswer(value);
  if (answer === null) return broken("an answer that is not of the upstream's shape");
  return "kind" in answer ? errorAnswer(answer) : answer;
}

/** An answer in the client's own shape: bytes pass, and are read for metering alone. Owned by one attempt. */
export class PassedReading extends FormMeter implements AnswerReading {
  readonly passesComments = true;
  readonly #shape: BackendShape;
  readonly #reader: AnswerReader;

  constructor(shape: BackendShape) {
    super();
    this.#shape = shape;
    this.#reader = shape.reader();
  }

  event(data: string): Verdict {
    const events = this.#reader.push(data);
    if (events === null) return broken(OUT_OF_SHAPE);
    let verdict: Verdict = "relay";
    for (const event of events) {
      if (event.kind === "failed") return errorEvent(event);
      if (event.kind === "done") verdict = { kind: "done", bytes: null };
      this.take(event);
    }
    return verdict;
  }

  end(): Done | Broken {
    const events = this.#reader.end();
    if (events === null) return broken(NO_END, "upstream_broken");
    for (const event of events) this.take(event);
    return { kind: "done", bytes: null };
  }

  whole(body: Buffer): Done | Broken {
    const answer = wholeOf(this.#shape, body);
    if ("kind" in answer) return answer;
    for (const event of eventsOf(answer)) this.take(event);
    return { kind: "done", bytes: body };
  }
}

/** An answer in one shape for a client that speaks another. Owned by one attempt. */
export class ConvertedReading extends FormMeter implements AnswerReading {
  readonly passesComments = false;
  readonly #from: BackendShape;
  readonly #to: ClientShape;
  readonly #context: PrintContext;
  readonly #reader: AnswerReader;
  readonly #printer: AnswerPrinter;

  constructor(from: BackendShape, to: ClientShape, context: PrintContext) {
    super();
    this.#from = from;
    this.#to = to;
    this.#context = context;
    this.#reader = from.reader();
    this.#printer = to.printer(context);
  }

  event(data: string): Verdict {
    const events = this.#reader.push(data);
    return events === null ? broken(OUT_OF_SHAPE) : this.#print(events);
  }

  end(): Done | Broken {
    const events = this.#reader.end();
    if (events === null) return broken(NO_END, "upstream_broken");
    const verdict = this.#print(events);
    return typeof verdict === "object" && verdict.kind !== "printed" ? verdict : broken(NO_END, "upstream_broken");
  }

  whole(body: Buffer): Done | Broken {
    const answer = wholeOf(this.#from, body);
    if ("kind" in answer) return answer;
    for (const event of eventsOf(answer)) this.take(event);
    return { kind: "done", bytes: Buffer.from(JSON.stringify(this.#to.printAnswer(answer, this.#context))) };
  }

  #print(events: readonly AnswerEvent[]): Verdict {
    let text = "";
    for (const event of events) {
      if (event.kind === "failed") return errorEvent(event);
      this.take(event);
      text += this.#printer.push(event);
      if (event.kind === "done") return { kind: "done", bytes: Buffer.from(text) };
    }
    return text === "" ? "hide" : { kind: "printed", bytes: Buffer.from(text) };
  }
}
