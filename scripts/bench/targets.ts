import { type ChildProcess, spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { ROOT } from "../serve-for.ts";
import { MODEL } from "./request-bytes.ts";
import { answering, nextMessage, start, startScript } from "./children.ts";

/** What is measured. */
export type TargetName = "direct" | "baseload" | "bare" | "nginx" | "portkey";

/** Everything that can be measured, in the table's order. */
export const TARGET_NAMES: readonly TargetName[] = ["direct", "baseload", "bare", "nginx", "portkey"];

/** Something that runs and can be sent requests. */
export interface Target {
  readonly name: TargetName;
  readonly port: number;
  /** What its requests need besides the usual headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** Null for the upstream itself, whose cost is nobody's. */
  readonly child: ChildProcess | null;
}

/** Where a target runs and what it sends its requests to. */
export interface Place {
  /** A folder that is deleted afterwards. */
  readonly dir: string;
  readonly upstreamPort: number;
  /** Options of the Node that runs Baseload, such as `--cpu-prof`. */
  readonly nodeFlags: readonly string[];
}

/** Starts a target, or says in words why it is left out. */
export async function startTarget(name: TargetName, place: Place): Promise<Target | string> {
  switch (name) {
    case "direct":
      return { name, port: place.upstreamPort, headers: {}, child: null };
    case "baseload":
      return startBaseload(place);
    case "bare":
      return startBare(place);
    case "nginx":
      return startNginx(place);
    default:
      return startPortkey(place);
  }
}

// As `npm start` and the image have it.
const NODE_FLAGS = ["--max-semi-space-size=8"];

/** Receipts with all their figures and the journal are on: a meter that is off is no yardstick. */
async function startBaseload({ dir, upstreamPort, nodeFlags }: Place): Promise<Target> {
  const port = await freePort();
  const file = join(dir, "baseload.yaml");
  const lines = [
    "version: 1",
    "sites:",
    "  rack: { layer: enterprise, electricityUsdPerKwh: 0.21, gridGramsPerKwh: 344 }",
    "backends:",
    "  mock:",
    `    url: http://127.0.0.1:${upstreamPort}/v1`,
    "    site: rack",
    `    models: [${MODEL}]`,
    "    watts: 700",
    "    price: { inputUsdPerMillion: 0.15, outputUsdPerMillion: 0.60 }",
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  const args = [join(ROOT, "bin", "baseload.mjs"), "serve", file, "--port", String(port)];
  const kept = ["--data-dir", join(dir, "data"), "--journal", join(dir, "journal")];
  const child = start("measured", process.execPath, [...NODE_FLAGS, ...nodeFlags, ...args, ...kept]);
  await answering(`http://127.0.0.1:${port}/healthz`);
  return { name: "baseload", port, headers: {}, child };
}

async function startBare({ upstreamPort }: Place): Promise<Target> {
  const child = startScript("measured", "bare-proxy.ts", [String(upstreamPort)]);
  const { port } = await nextMessage<{ readonly port: number }>(child);
  return { name: "bare", port, headers: {}, child };
}

async function startNginx({ dir, upstreamPort }: Place): Promise<Target | string> {
  if (spawnSync("nginx", ["-v"]).status !== 0) return "nginx is not installed";
  const port = await freePort();
  const temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((each) => `${each}_temp_path ${dir}/${each};`);
  const lines = [
    "daemon off; master_process off; error_log stderr crit;",
    `pid ${dir}/nginx.pid;`,
    "events { worker_connections 4096; }",
    `http { access_log off; ${temps.join(" ")} keepalive_requests 100000000;`,
    `upstream mock { server 127.0.0.1:${upstreamPort}; keepalive 512; keepalive_requests 100000000; }`,
    `server { listen 127.0.0.1:${port} backlog=1024; location / { proxy_pass http://mock; proxy_http_version 1.1;`,
    'proxy_set_header Connection ""; proxy_buffering off; } } }',
  ];
  const file = join(dir, "nginx.conf");
  writeFileSync(file, lines.join("\n"));
  const child = start("measured", "nginx", ["-c", file, "-p", dir]);
  await answering(`http://127.0.0.1:${port}/v1/models`);
  return { name: "nginx", port, headers: {}, child };
}

async function startPortkey({ upstreamPort }: Place): Promise<Target | string> {
  const installed = join(ROOT, "build", "bench", "node_modules");
  const server = join(installed, "@portkey-ai", "gateway", "build", "start-server.js");
  if (!existsSync(server)) return "not installed; run `node scripts/bench/install-portkey.ts`";
  const port = await freePort();
  const child = start("measured", process.execPath, [server, `--port=${port}`, "--headless"]);
  await answering(`http://127.0.0.1:${port}/`);
  const headers = {
    authorization: "Bearer none",
    "x-portkey-provider": "openai",
    "x-portkey-custom-host": `http://127.0.0.1:${upstreamPort}/v1`,
  };
  return { name: "portkey", port, headers, child };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
