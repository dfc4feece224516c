import { readFileSync, writeFileSync } from "node:fs";
import { ERRORS } from "../src/base/errors.ts";

// Compares docs/errors.md with the table in src/base/errors.ts; --update writes it.

const [option, ...rest] = process.argv.slice(2);
if (rest.length > 0 || (option !== undefined && option !== "--update")) {
  console.error("usage: node scripts/errors-doc.ts [--update]");
  process.exit(2);
}

const HEAD = `# Errors

Every error that Baseload answers with, made from \`src/base/errors.ts\`. The body has OpenAI's shape:

\`\`\`json check
{
  "error": {
    "message": "No backend serves this model: gpt-9. Ask GET /v1/models for the names, or add the model to a backend in baseload.yaml.",
    "type": "invalid_request_error",
    "param": null,
    "code": "model_not_found"
  }
}
\`\`\`

\`code\` is stable and names a row below; \`message\` says what happened and what to do. Where \`retry-after\` is known it is sent.
"Again" says whether the same request may succeed when it is sent again.

An upstream's own error (\`upstream_error\`) is passed on with its status, \`retry-after\`, \`x-ratelimit-*\` and message when no
other backend could take the request; an answer that is not in OpenAI's shape is put into it. Once content has gone out, an error is one
event \`data: {"error": …}\` in the stream, and no \`[DONE]\` follows.

| code | status | type | again | what happened | what to do |
|---|---|---|---|---|---|
`;

const rows = Object.entries(ERRORS).map(
  ([code, row]) =>
    `| \`${code}\` | ${row.status} | \`${row.type}\` | ${row.retriable ? "yes" : "no"} | ${row.message}. | ${row.remedy} |\n`,
);
const wanted = HEAD + rows.join("");
const file = new URL("../docs/errors.md", import.meta.url);

if (option === "--update") {
  writeFileSync(file, wanted);
} else if (readOrEmpty(file) !== wanted) {
  console.error(
    "docs/errors.md differs from src/base/errors.ts → run node scripts/errors-doc.ts --update and commit the result",
  );
  process.exitCode = 1;
}

function readOrEmpty(path: URL): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
