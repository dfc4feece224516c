/** Renders a chat template so that its own control tokens are known, in whatever way it puts them together. */
import { Template } from "@huggingface/jinja";
import { type ControlTokens, controlsMixed, type TextRange } from "./control-tokens.ts";
import { type MarkedPrompt, type RenderedPrompt, TemplateMarks } from "./template-marks.ts";

/** What a template is rendered with; the tokens are the template's own texts. */
export type TemplateValues = {
  readonly chat: Readonly<Record<string, unknown>>;
  readonly tokens: Readonly<Record<string, string>>;
};

/** One template with marks. Owned by the compiled template. */
export class MarkedTemplate {
  readonly #controls: ControlTokens;
  readonly #render: (values: TemplateValues) => MarkedPrompt;
  /** With every character marked, which more templates do not bear; made when a template first needs it. */
  #renderWhole: ((values: TemplateValues) => MarkedPrompt) | null = null;
  readonly #source: string;

  constructor(source: string, controls: ControlTokens) {
    this.#source = source;
    this.#controls = controls;
    // Templates also put control tokens together, as `<|`, a role and `|>`; then these are the template's.
    const ends = new Set(controls.texts.flatMap((text) => [text.charAt(0), text.charAt(text.length - 1)]));
    this.#render = renderer(
      source,
      new TemplateMarks(controls, (character) => ends.has(character) && !isWord(character)),
    );
  }

  /**
   * The prompt with the template's control tokens. `roles` may be in them. Throws `ApiError` 400 where it puts control tokens together
   * and nobody can tell from what.
   */
  render(values: TemplateValues, roles: ReadonlySet<string>): RenderedPrompt {
    const { text, controls, marked } = this.#render(values);
    const composed = this.#composed(text, marked);
    if (composed.length === 0) return { text, controls };
    this.#renderWhole ??= renderer(
      this.#source,
      new TemplateMarks(this.#controls, (character) => !/\s/.test(character)),
    );
    const whole = this.#renderWhole(values);
    if (whole.text !== text) throw controlsMixed();
    const own = composed.filter(({ start, end }) => {
      const rest = Array.from({ length: end - start }, (_, index) => start + index).filter(
        (at) => !whole.marked.has(at),
      );
      const word = rest.map((at) => text.charAt(at)).join("");
      return word === "" || roles.has(word.toLowerCase());
    });
    return { text, controls: [...controls, ...own].toSorted((one, other) => one.start - other.start) };
  }

  /** Control tokens both of whose ends the template wrote, apart from each other. */
  #composed(text: string, marked: ReadonlySet<number>): readonly TextRange[] {
    if (marked.size === 0) return [];
    return this.#controls.find(text).filter(({ start, end }) => marked.has(start) && marked.has(end - 1));
  }
}

function renderer(source: string, marks: TemplateMarks): (values: TemplateValues) => MarkedPrompt {
  const template = new Template(source);
  marks.markTree(template.parsed);
  return ({ chat, tokens }) => {
    const own = Object.entries(tokens).map(([name, text]) => [name, marks.mark(text)]);
    try {
      return marks.read(template.render({ ...chat, ...Object.fromEntries(own) }));
    } catch {
      // It rendered without marks, so it works on its own texts: what it would have written is not known.
      return { text: "", controls: [], marked: new Set() };
    }
  };
}

function isWord(character: string): boolean {
  return /[\p{L}\p{N}\s\p{Cs}]/u.test(character);
}
