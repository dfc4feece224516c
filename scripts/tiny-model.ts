/** Writes the tiny random model: `node scripts/tiny-model.ts OUT.gguf`. */
import { writeTinyModel } from "../src/engines/embedded/tiny-model.ts";

const path = process.argv[2];
if (path === undefined || path.startsWith("-") || process.argv.length > 3) {
  console.error("usage: node scripts/tiny-model.ts OUT.gguf");
  process.exit(2);
}
writeTinyModel(path);
console.error(`wrote ${path}`);
