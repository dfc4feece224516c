import type { Loss } from "../../src/wire/form/shape.ts";
import { RICH } from "./asked.ts";
import { answerBetween, BACKENDS, CLIENTS, printedFor, saidBy, spokenOf } from "./pairs.ts";

/** What becomes of something that is asked for. */
function fateOf(losses: readonly Loss[]): string {
  if (losses.length === 0) return "yes";
  return losses.every(({ isHint }) => isHint) ? "hint" : "lost";
}

/** For each client's API the table of what each backend's loses, as Markdown. What passes everywhere is one line. */
function pairTables(): string {
  return Object.keys(CLIENTS).map(tableOf).join("\n\n");
}

function tableOf(client: string): string {
  const others = Object.keys(BACKENDS).filter((backend) => backend !== client);
  const everywhere: string[] = [];
  const rows: string[] = [];
  for (const [title, request] of spokenOf(client)) {
    const fates = others.map((backend) => fateOf(printedFor(backend, request).losses));
    if (fates.every((fate) => fate === "yes")) everywhere.push(title);
    else rows.push(`| ${title} | ${fates.join(" | ")} |`);
  }
  const head = `| from \`${client}\` | ${others.join(" | ")} |\n|---|${"---|".repeat(others.length)}`;
  return `${head}\n${rows.join("\n")}\n\nEverywhere: ${everywhere.join(", ")}.`;
}

const [BEGIN, END] = ["<!-- pairs: node scripts/golden.ts --update -->", "<!-- end of pairs -->"];

/** A page with the tables between its marks made anew. */
export function pageWithPairs(page: string): string {
  const [before, rest] = page.split(BEGIN);
  const [, after] = rest?.split(END) ?? [];
  if (before === undefined || after === undefined) throw new Error("the page has no place for the table of pairs");
  return `${before}${BEGIN}\n${pairTables()}\n${END}${after}`;
}

/** The rich conversation as every other backend is sent it for every client, and its answer as that client gets it. */
export function pairGoldenText(): string {
  const others = (client: string): readonly string[] => Object.keys(BACKENDS).filter((backend) => backend !== client);
  const pairs = Object.keys(CLIENTS).flatMap((client) => others(client).map((backend) => [client, backend] as const));
  return pairs
    .map(([client, backend]) => {
      const { body, losses } = printedFor(backend, saidBy(client, RICH));
      const lost = losses.map(({ path, why, isHint }) => `${isHint ? "hint" : "lost"}: ${path} (${why})\n`);
      const { stream, whole } = answerBetween(client, backend);
      return `# ${client} → ${backend}\n\n${JSON.stringify(body)}\n${lost.join("")}\n${whole}\n\n${stream.trimEnd()}\n`;
    })
    .join("\n");
}
