import { eventsOf } from "../../../src/wire/form/answer.ts";
import type { BackendShape, ClientShape } from "../../../src/wire/form/shape.ts";
import { isUnreadable, type PrintContext } from "../../../src/wire/form/shape.ts";
import { SHAPES } from "../../../src/wire/shapes.ts";
import { ANSWERS, CHAT_REQUESTS, REQUESTS } from "./fixtures.ts";

/** Where the files stand, seen from the folder of the other golden files. */
const FOLDER = "../shapes/anthropic";

const CONTEXT: PrintContext = {
  requestId: "018bcfe5-6800-7000-8000-000000000001",
  model: "m",
  asked: {},
  createdSeconds: 1_700_000_000,
  wantsUsage: true,
};

/** What Anthropic's shape and OpenAI's come to in each other, one file a fixture. */
export function anthropicGolden(): readonly { readonly name: string; readonly text: string }[] {
  const { chat, responses, messages } = SHAPES;
  const targets = { chat, responses };
  return [
    ...Object.entries(REQUESTS).map(([name, request]) =>
      file(`request-${name}`, { request, ...print(request, messages, targets) }),
    ),
    ...Object.entries(CHAT_REQUESTS).map(([name, request]) =>
      file(`chat-request-${name}`, { request, ...print(request, chat, { messages }) }),
    ),
    ...Object.entries(ANSWERS).map(([name, answer]) => file(`answer-${name}`, { answer, ...tell(answer) })),
  ];
}

function file(name: string, value: object): { readonly name: string; readonly text: string } {
  return { name: `${FOLDER}/${name}.golden`, text: `${JSON.stringify(value, null, 2)}\n` };
}

/** The request in each target's shape, and what it loses there. */
function print(request: object, from: ClientShape, targets: Readonly<Record<string, BackendShape>>): object {
  const form = from.readRequest(request);
  if (isUnreadable(form)) throw new Error(`a fixture cannot be read: ${form.param} ${form.detail}`);
  return Object.fromEntries(Object.entries(targets).map(([name, target]) => [name, target.printRequest(form)]));
}

/** The answer as clients of OpenAI's shapes get it, whole and streamed, and as its own clients would get it printed anew. */
function tell(answer: object): object {
  const form = SHAPES.messages.readAnswer(answer);
  if (form === null || "kind" in form) throw new Error("a fixture is no answer");
  return Object.fromEntries(
    Object.entries(SHAPES).map(([name, shape]) => {
      const printer = shape.printer(CONTEXT);
      const stream = eventsOf(form)
        .map((event) => printer.push(event))
        .join("")
        .split("\n");
      return [name, { whole: shape.printAnswer(form, CONTEXT), stream }];
    }),
  );
}
