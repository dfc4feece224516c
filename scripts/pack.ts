import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./run.ts";
import { ROOT } from "./serve-for.ts";

// Makes the package that users install: built JavaScript, the launcher, and a package.json of its own, in which the embedded
// engine is an optional peer. `node scripts/pack.ts` prints the tarball's path; it lies in build/.

const STAGE = join(ROOT, "build", "package");
const OPTIONAL_PEERS = ["node-llama-cpp", "@huggingface/jinja"];

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

/** The package.json of the tarball, made from the repository's. */
function manifestOf(source: Manifest): object {
  const isPeer = (name: string): boolean => OPTIONAL_PEERS.includes(name);
  const dependencies = Object.entries(source.dependencies);
  return {
    name: source.name,
    version: source.version,
    description: source.description,
    license: source.license,
    type: "module",
    engines: { node: ">=20" },
    bin: { baseload: "bin/baseload.mjs" },
    exports: {
      ".": { types: "./lib/app/index.d.ts", default: "./lib/app/index.js" },
      "./verify": { types: "./lib/audit/verify.d.ts", default: "./lib/audit/verify.js" },
      "./sim": { types: "./lib/sim/run.d.ts", default: "./lib/sim/run.js" },
      "./package.json": "./package.json",
    },
    files: ["bin", "lib", "data", "baseload.schema.json"],
    dependencies: Object.fromEntries(dependencies.filter(([name]) => !isPeer(name))),
    optionalDependencies: source.optionalDependencies,
    peerDependencies: Object.fromEntries(dependencies.filter(([name]) => isPeer(name))),
    peerDependenciesMeta: Object.fromEntries(OPTIONAL_PEERS.map((name) => [name, { optional: true }])),
  };
}

async function must(command: string, args: readonly string[]): Promise<string> {
  const { status, output } = await run({ command, args, timeoutMs: 300_000 });
  if (status === 0) return output;
  console.error(output);
  process.exit(1);
}

rmSync(STAGE, { recursive: true, force: true });
mkdirSync(STAGE, { recursive: true });
await must("tsc", ["-p", "tsconfig.build.json"]);
for (const file of ["bin", "data", "README.md", "LICENSE", "baseload.schema.json"]) {
  cpSync(join(ROOT, file), join(STAGE, file), { recursive: true });
}
const source = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest;
writeFileSync(join(STAGE, "package.json"), `${JSON.stringify(manifestOf(source), null, 2)}\n`);
await must("npm", ["pack", STAGE, "--pack-destination", join(ROOT, "build")]);
console.log(join(ROOT, "build", `${source.name}-${source.version}.tgz`));
