const ARROW = " → ";

/** A message and its remedy as one text, which is how they travel through a Zod issue. */
export function say(message: string, remedy: string): string {
  return message + ARROW + remedy;
}

/** The message and remedy of a text made by `say`, or null for a text of another origin. */
export function heard(text: string): { readonly message: string; readonly remedy: string } | null {
  const at = text.indexOf(ARROW);
  return at < 0 ? null : { message: text.slice(0, at), remedy: text.slice(at + ARROW.length) };
}
