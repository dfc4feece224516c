/**
 * Every provider signs its own thoughts and refuses those of others, and a client cannot tell them apart. So Gemini's signatures
 * carry this mark while they are with the client. A signature is base64, in which no colon occurs.
 */
const MARK = "gemini:";

/** Gemini's signature as clients keep it. */
export function markSignature(signature: string): string {
  return MARK + signature;
}

/** Gemini's own signature of what a client kept, or null when another provider made it. */
export function ownSignature(kept: string): string | null {
  return kept.startsWith(MARK) ? kept.slice(MARK.length) : null;
}
