import type { Finding } from "./finding.ts";

/** One fenced block of a Markdown file. */
export interface Fence {
  readonly file: string;
  /** Line of the opening fence, counted from 1; the code begins on the next. */
  readonly line: number;
  readonly language: string;
  /** Whether the info string says `check`: scripts/docs-code.ts runs it. */
  readonly check: boolean;
  /** The reason after `no-check=`, or null when it is not written. */
  readonly reason: string | null;
  readonly code: string;
}

/** Languages that a check can run or load. */
export const CHECKED_LANGUAGES: readonly string[] = ["sh", "ts", "yaml", "json"];

/** Languages whose blocks must say `check` or why not. */
const MUST_SAY = new Set(["sh", "bash", "shell", "console", "ts", "typescript", "js", "javascript"]);

const OPENING = /^(\s*)(`{3,}|~{3,})\s*([\w+-]*)\s*(.*)$/;

/** The fenced blocks of a Markdown text. */
export function fencesOf(file: string, text: string): readonly Fence[] {
  const lines = text.split("\n");
  const fences: Fence[] = [];
  for (let index = 0; index < lines.length; index += 1) {
    const [whole, indent = "", marker = "", language = "", info = ""] = OPENING.exec(lines[index] ?? "") ?? [];
    if (whole === undefined) continue;
    const line = index + 1;
    const code: string[] = [];
    for (index += 1; index < lines.length && !closes(lines[index] ?? "", marker); index += 1) {
      code.push((lines[index] ?? "").replace(new RegExp(`^\\s{0,${indent.length}}`), ""));
    }
    const reason = /(?:^|\s)no-check=(?:"([^"]*)"|(\S*))/.exec(info);
    const check = /(?:^|\s)check(?:\s|$)/.test(info);
    fences.push({
      file,
      line,
      language,
      check,
      reason: reason && (reason[1] ?? reason[2] ?? ""),
      code: code.join("\n"),
    });
  }
  return fences;
}

function closes(line: string, marker: string): boolean {
  const text = line.trim();
  return text.startsWith(marker) && text.replaceAll(marker.charAt(0), "") === "";
}

/** Blocks of code that nothing runs and that do not say why. */
export function checkFences(fences: readonly Fence[]): readonly Finding[] {
  return fences.flatMap(({ file, line, language, check, reason }) => {
    const at = { file, line, rule: "docs-code" };
    if (check && !CHECKED_LANGUAGES.includes(language)) {
      const instead = `write it in ${CHECKED_LANGUAGES.join(", ")}, or say no-check=REASON`;
      return [{ ...at, what: `a ${language || "plain"} block cannot be checked`, instead }];
    }
    if (reason === "") return [{ ...at, what: "no-check without a reason", instead: "write no-check=REASON" }];
    if (check || reason !== null || !MUST_SAY.has(language)) return [];
    const instead = `open it with \`\`\`${language} check, or with \`\`\`${language} no-check=REASON`;
    return [{ ...at, what: `nothing runs this ${language} block`, instead }];
  });
}
