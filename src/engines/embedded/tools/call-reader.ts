/** Reads one tool call, `{"name": …, "arguments": {…}}`, as its text comes, so that its arguments can be passed on at once. */

/** What a piece of text said: the call's name, which comes first, or more of its arguments' JSON. */
export type CallEvent =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "arguments"; readonly text: string };

type State = "start" | "memberOrEnd" | "key" | "colon" | "value" | "commaOrEnd" | "done" | "broken";

const WHITE = /\s/;

/**
 * One call's object. The members may come in any order; `parameters` is another word for `arguments`, and arguments that are a
 * string of JSON are read from it. Owned by one answer.
 */
export class CallReader {
  #state: State = "start";
  #key = "";
  /** The key or value under way, as it was written. */
  #text = "";
  #depth = 0;
  #inString = false;
  #escaped = false;
  #name: string | null = null;
  /** Arguments that came before the name. */
  #early = "";
  #sawArguments = false;

  /** Whether the object is complete. */
  get done(): boolean {
    return this.#state === "done";
  }

  /** Whether this is no call: not JSON, or an object without a name that is a text. */
  get broken(): boolean {
    return this.#state === "broken";
  }

  /** Takes one character. */
  push(character: string): readonly CallEvent[] {
    switch (this.#state) {
      case "start":
        return this.#expect(character, { "{": "memberOrEnd" });
      case "memberOrEnd":
        if (character === '"') return this.#begin("key", character);
        return character === "}" ? this.#end() : this.#expect(character, {});
      case "key":
        return this.#pushKey(character);
      case "colon":
        if (character === ":") this.#text = "";
        return this.#expect(character, { ":": "value" });
      case "value":
        return this.#pushValue(character);
      case "commaOrEnd":
        return character === "}" ? this.#end() : this.#expect(character, { ",": "memberOrEnd" });
      default:
        this.#state = "broken";
        return [];
    }
  }

  #expect(character: string, next: Readonly<Record<string, State>>): readonly CallEvent[] {
    if (!WHITE.test(character)) this.#state = next[character] ?? "broken";
    return [];
  }

  #begin(state: State, text: string): readonly CallEvent[] {
    this.#state = state;
    this.#text = text;
    this.#escaped = false;
    return [];
  }

  #pushKey(character: string): readonly CallEvent[] {
    this.#text += character;
    if (this.#escaped) this.#escaped = false;
    else if (character === "\\") this.#escaped = true;
    else if (character === '"') {
      const key = parsed(this.#text);
      this.#key = typeof key === "string" ? key : "";
      this.#state = "colon";
    }
    return [];
  }

  #pushValue(character: string): readonly CallEvent[] {
    if (this.#text === "") {
      if (WHITE.test(character)) return [];
      if (",}]:".includes(character)) return this.#fail();
    }
    const isScalar = this.#text !== "" && !'{["'.includes(this.#text[0] ?? "");
    if (isScalar && (",}".includes(character) || WHITE.test(character))) {
      const events = this.#endValue();
      return this.#state === "commaOrEnd" ? [...events, ...this.push(character)] : events;
    }
    this.#text += character;
    this.#track(character);
    const events = this.#isArguments() && this.#text.startsWith("{") ? this.#pass(character) : [];
    const isClosed = !this.#inString && this.#depth === 0 && '{["'.includes(this.#text[0] ?? "");
    return isClosed ? [...events, ...this.#endValue()] : events;
  }

  /** Follows brackets and strings. */
  #track(character: string): void {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (character === "\\") this.#escaped = true;
      else if (character === '"') this.#inString = false;
    } else if (character === '"') this.#inString = true;
    else if ("{[".includes(character)) this.#depth += 1;
    else if ("}]".includes(character)) this.#depth -= 1;
  }

  #isArguments(): boolean {
    return this.#key === "arguments" || this.#key === "parameters";
  }

  #endValue(): readonly CallEvent[] {
    const text = this.#text;
    this.#state = "commaOrEnd";
    this.#text = "";
    if (this.#key === "name") return this.#named(parsed(text));
    if (!this.#isArguments()) return [];
    this.#sawArguments = true;
    // Objects were passed on as they came.
    if (text.startsWith("{")) return [];
    const value = parsed(text);
    if (value === null) return this.#pass("{}");
    return typeof value === "string" ? this.#pass(value) : this.#fail();
  }

  #named(name: unknown): readonly CallEvent[] {
    if (typeof name !== "string" || this.#name !== null) return this.#fail();
    this.#name = name;
    const early = this.#early;
    return early === ""
      ? [{ kind: "name", name }]
      : [
          { kind: "name", name },
          { kind: "arguments", text: early },
        ];
  }

  #pass(text: string): readonly CallEvent[] {
    if (this.#name !== null) return [{ kind: "arguments", text }];
    this.#early += text;
    return [];
  }

  #end(): readonly CallEvent[] {
    if (this.#name === null) return this.#fail();
    this.#state = "done";
    return this.#sawArguments ? [] : [{ kind: "arguments", text: "{}" }];
  }

  #fail(): readonly CallEvent[] {
    this.#state = "broken";
    return [];
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What is no JSON is no name and no arguments either; the caller says so.
    return undefined;
  }
}
