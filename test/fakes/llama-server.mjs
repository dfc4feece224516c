#!/usr/bin/env node
/**
 * Speaks the flags and endpoints of llama.cpp's server that Baseload uses, by its tools/server/README.md, with canned words. The model's
 * file may say what goes wrong: `refuses` ends it before it has loaded, `slow` answers "Loading model" a few times first.
 * A request whose text is `crash` ends it at once.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const KNOWN = new Set(
  "--model --alias --host --parallel --ctx-size --n-gpu-layers --jinja --metrics --threads".split(" "),
);
const SWITCHES = new Set(["--jinja", "--metrics"]);

function parse(args) {
  const flags = new Map();
  for (let index = 0; index < args.length; index++) {
    const flag = args[index];
    if (!KNOWN.has(flag)) throw new Error(`error: invalid argument: ${flag}`);
    flags.set(flag, SWITCHES.has(flag) ? true : args[++index]);
  }
  return flags;
}

let flags;
try {
  flags = parse(process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const model = readFileSync(flags.get("--model"), "utf8");
console.error(`main: loading ${flags.get("--model")}`);
if (model.startsWith("refuses")) {
  console.error("llama_model_load: error loading model: unknown model architecture");
  process.exit(1);
}
let loading = model.startsWith("slow") ? 3 : 0;
const slots = Number(flags.get("--parallel"));
const contextTokens = Number(flags.get("--ctx-size") ?? 4096 * slots) / slots;
const id = flags.get("--alias");

const GETS = {
  "/health": () => ({ status: "ok" }),
  "/v1/models": () => ({ object: "list", data: [{ id, object: "model", owned_by: "llamacpp" }] }),
  "/props": () => ({
    total_slots: slots,
    build_info: "b0-fake",
    default_generation_settings: { n_ctx: contextTokens },
  }),
  "/slots": () =>
    Array.from({ length: slots }, (_, index) => ({ id: index, is_processing: false, n_ctx: contextTokens })),
};

const server = createServer((request, response) => {
  const send = (status, body) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  if (request.method === "GET") {
    if (loading > 0) {
      loading -= 1;
      return send(503, { error: { code: 503, message: "Loading model", type: "unavailable_error" } });
    }
    const answer = GETS[request.url];
    return answer === undefined ? send(404, { error: { code: 404, message: "File Not Found" } }) : send(200, answer());
  }
  let text = "";
  request.on("data", (part) => (text += part));
  request.on("end", () => {
    const body = JSON.parse(text);
    if (body.messages.at(-1).content === "crash") process.exit(139);
    send(200, {
      id: "chatcmpl-1",
      object: "chat.completion",
      created: 1,
      model: body.model,
      choices: [
        { index: 0, message: { role: "assistant", content: process.argv.slice(2).join(" ") }, finish_reason: "stop" },
      ],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    });
  });
});
server.listen(flags.get("--host"), () => console.error(`main: server is listening on ${flags.get("--host")}`));
