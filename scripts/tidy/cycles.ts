import type { Finding } from "./finding.ts";
import { importsOf, resolveImport } from "./imports.ts";
import type { Source } from "./source.ts";

interface Edge {
  readonly to: string;
  readonly line: number;
}

/** Files of src that load each other. Type-only imports are gone at run time and make no cycle. */
export function checkCycles(sources: readonly Source[]): readonly Finding[] {
  const graph = new Map<string, readonly Edge[]>();
  for (const source of sources.filter((each) => each.path.startsWith("src/"))) {
    const edges = importsOf(source)
      .filter((each) => !each.typeOnly)
      .map((each) => ({ to: resolveImport(source.path, each.specifier) ?? "", line: each.line }));
    graph.set(source.path, edges);
  }
  const findings: Finding[] = [];
  const done = new Set<string>();
  for (const path of graph.keys()) visit({ graph, done, findings, trail: [] }, path);
  return findings;
}

interface Walk {
  readonly graph: ReadonlyMap<string, readonly Edge[]>;
  readonly done: Set<string>;
  readonly findings: Finding[];
  /** The files from the start to the one being visited. */
  readonly trail: string[];
}

function visit(walk: Walk, path: string): void {
  if (walk.done.has(path)) return;
  walk.trail.push(path);
  for (const edge of walk.graph.get(path) ?? []) {
    const start = walk.trail.indexOf(edge.to);
    if (start === -1) visit(walk, edge.to);
    else walk.findings.push(cycle([...walk.trail.slice(start), edge.to], edge.line));
  }
  walk.trail.pop();
  walk.done.add(path);
}

function cycle(trail: readonly string[], line: number): Finding {
  return {
    file: trail.at(-2) ?? "",
    line,
    rule: "cycles",
    what: `imports in a circle: ${trail.join(" → ")}`,
    instead: "move what both need into a third file, or use `import type`",
  };
}
