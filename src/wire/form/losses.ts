import type { CacheMark, FormPart, FormRequest, FormToolChoice } from "./request.ts";
import type { Loss } from "./shape.ts";

/** Members that ask a provider for something beside the answer, by any shape's name for them. */
const HINTS: ReadonlySet<string> = new Set([
  "metadata",
  "user",
  "store",
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "include",
  "truncation",
  "context_management",
  "diagnostics",
  "speed",
]);

/** Members that are such wishes wherever they stand. */
const HINTS_ANYWHERE: ReadonlySet<string> = new Set(["cache_control", "display", "eager_input_streaming"]);

/** Gathers what a printer cannot express. Owned by one printing. */
export class Losses {
  readonly #losses: Loss[] = [];

  /** Something that changes what is asked for. */
  grave(path: string, why: string): void {
    this.#losses.push({ path, why, isHint: false });
  }

  /** Something without which the answer means the same. */
  hint(path: string, why: string): void {
    this.#losses.push({ path, why, isHint: true });
  }

  /** A cache mark, in a shape that has none. */
  cache(path: string, mark: CacheMark | undefined): void {
    if (mark !== undefined) this.hint(path, "this API takes no marks for its prompt cache");
  }

  /** A call that is demanded of a model that has no tools, in a shape that takes no choice without them. */
  idleChoice(choice: FormToolChoice | null): void {
    const isDemand = choice !== null && choice.kind !== "auto" && choice.kind !== "none";
    if (isDemand) this.grave("tool_choice", "there are no tools to choose from");
  }

  /** The members that no form has a place for, but those that the printer took. */
  extras(request: FormRequest, taken: ReadonlySet<string>): void {
    for (const [path, value] of request.extras) {
      if (taken.has(path) || value === null) continue;
      const why = "this API has no such member";
      if (HINTS.has(path) || HINTS_ANYWHERE.has(path.slice(path.lastIndexOf(".") + 1))) this.hint(path, why);
      else this.grave(path, why);
    }
  }

  get all(): readonly Loss[] {
    return this.#losses;
  }
}

/** Where a part stands, in words that every client understands. */
export function pathOf(turn: number, part: number, kind: FormPart["kind"]): string {
  return `turn ${turn} part ${part} (${kind})`;
}
