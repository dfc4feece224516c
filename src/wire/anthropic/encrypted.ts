/**
 * Thoughts that only their provider reads. Anthropic has two kinds of proof, the data of a redacted thought and the signature of
 * one that is not shown, where the form and OpenAI's responses have one. A mark tells them apart, so that each comes back as what
 * it was; another mark keeps another provider's proof what it is while an Anthropic client has it.
 */
const REDACTED = "redacted_thinking.";
const FOREIGN = "foreign.";

/** The form's data for that of a `redacted_thinking` block. */
export function readRedacted(data: string): string {
  return data.startsWith(FOREIGN) ? data.slice(FOREIGN.length) : REDACTED + data;
}

/** The data of a `redacted_thinking` block for an Anthropic client. */
export function printRedacted(encrypted: string): string {
  return redactedOf(encrypted) ?? FOREIGN + encrypted;
}

/** The data of a thought that Anthropic redacted, or null when it is the signature of one that was not shown. */
export function redactedOf(encrypted: string): string | null {
  return encrypted.startsWith(REDACTED) ? encrypted.slice(REDACTED.length) : null;
}
