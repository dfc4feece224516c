import { writeFileSync } from "node:fs";
import { goldenUrl, makeGoldenFiles, readGolden } from "../test/golden/golden-files.ts";

// Compares the files of test/golden with the bytes that clients would see now; --update writes them.

const [option, ...rest] = process.argv.slice(2);
if (rest.length > 0 || (option !== undefined && option !== "--update")) {
  console.error("usage: node scripts/golden.ts [--update]");
  process.exit(2);
}

for (const { name, text } of await makeGoldenFiles()) {
  if (readGolden(name) === text) continue;
  if (option === "--update") {
    writeFileSync(goldenUrl(name), text);
    console.log(`wrote test/golden/${name}`);
  } else {
    console.error(
      `test/golden/${name} differs from what clients see now → run node scripts/golden.ts --update and review`,
    );
    process.exitCode = 1;
  }
}
