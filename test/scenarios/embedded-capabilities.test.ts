/** What the embedded engine can do, asked for at the gateway of a real `baseload serve`, as any client asks. */
import { after, describe } from "node:test";
import { capabilitiesConformance } from "../engine-conformance/capabilities.ts";
import type { Answer, CapabilityTarget } from "../engine-conformance/capability.ts";
import { Baseload } from "./lib/baseload.ts";
import { TINY } from "./lib/tiny.ts";

const server = await Baseload.start();
after(() => server[Symbol.asyncDispose]());

const send = (path: string, body: object): Promise<Response> =>
  fetch(server.origin + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

const target: CapabilityTarget = {
  model: TINY,
  hasEyes: false,
  more: { seed: 1, max_tokens: 600 },
  post: async (path, body) => {
    const response = await send(path, body);
    return { status: response.status, body: (await response.json()) as Answer };
  },
  stream: async (path, body) => {
    const text = await (await send(path, { ...body, stream: true })).text();
    const data = text.split("\n\n").flatMap((event) => /^data: (.*)$/m.exec(event)?.[1] ?? []);
    if (data.pop() !== "[DONE]") throw new Error(`the stream did not end with [DONE]: ${text.slice(-500)}`);
    return data.map((event) => JSON.parse(event) as Answer);
  },
};

describe("the embedded engine behind the gateway", () => capabilitiesConformance(() => target));
