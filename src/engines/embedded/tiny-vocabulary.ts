/**
 * The vocabulary of the tiny model: 256 byte tokens, whole English words built up by merges, and the control tokens of a chat.
 */

/** Words that may stand inside a sentence; each is one token with its leading space. */
const INNER_WORDS = `
the of and to in a is that for it as with on by this be at from or an are was not have but which one all they you we can
more when there their has time will would about so some what up into than them only other new could these two may then do
first any like now my over such our man even most made after also did many before must through back years where much your
way well down should because each just those people how too little state good very make world still own see men work long
get here between both life being under never day same another know while last might great old year off come since against
go came right used take three power water light heat river town engine answer question number point house hand high place
small large night morning summer winter city road bridge field stone paper letter word page story music voice garden window
table market price cost energy grid load plant wind solar storm cloud rain snow fire metal glass wire signal machine
memory token model layer server queue batch cache network region policy budget record meter measure balance future past
begins ends grows falls moves turns holds keeps gives takes finds leaves makes runs waits opens closes follows carries
quiet bright slow quick warm cold deep wide early late simple steady clear common free open final second
`
  .trim()
  .split(/\s+/);

/** Words that may begin a sentence; each is a token with its leading space and, for the first sentence, one without. */
const FIRST_WORDS = `
The A It In This We They That There When One But And For So Most Some Every Each Now Then After Before Here If As At By
On No What Many Our Their These Those Both All Energy Power Light Water Summer Winter
`
  .trim()
  .split(/\s+/);

/** What a token may be followed by, and what it may follow, is decided by its kind. */
export type TokenKind =
  | "inner"
  | "spacedFirst"
  | "bareFirst"
  | "comma"
  | "stop"
  | "question"
  | "newline"
  | "end"
  | "fragment"
  | "control";

/** One entry of the vocabulary: `text` is in the byte-to-unicode spelling that gpt2-style tokenizers use. */
export type TinyToken = { readonly text: string; readonly kind: TokenKind };

/** The vocabulary, with the merges in order of priority and the ids of the control tokens. */
export type TinyVocabulary = {
  readonly tokens: readonly TinyToken[];
  readonly merges: readonly string[];
  readonly beginId: number;
  readonly turnStartId: number;
  readonly turnEndId: number;
};

/** The control tokens' texts, which the chat template writes. */
export const BEGIN_TEXT = "<s>";
/** Opens a turn of the chat; the role follows. */
export const TURN_START_TEXT = "<|im_start|>";
/** Closes a turn, and ends generation. */
export const TURN_END_TEXT = "<|im_end|>";

/**
 * Builds the vocabulary, with more control tokens where asked. Equal in every process and version of the runtime: it draws
 * nothing.
 */
export function tinyVocabulary(moreControls: readonly string[] = []): TinyVocabulary {
  const space = byteSpelling(0x20);
  const kinds = new Map<string, TokenKind>();
  for (let byte = 0; byte < 256; byte++) kinds.set(byteSpelling(byte), "fragment");
  const merges: string[] = [];
  // Words with a space merge first. A bare word's first pair ("T" "h") then never wins inside a spaced one, so each word has
  // exactly one spelling in tokens.
  for (const word of INNER_WORDS) addWord(kinds, merges, { spelling: space + word, kind: "inner" });
  for (const word of FIRST_WORDS) addWord(kinds, merges, { spelling: space + word, kind: "spacedFirst" });
  for (const word of FIRST_WORDS) addWord(kinds, merges, { spelling: word, kind: "bareFirst" });
  kinds.set(",", "comma");
  kinds.set(".", "stop");
  kinds.set("?", "question");
  kinds.set(byteSpelling(0x0a), "newline");
  kinds.set(BEGIN_TEXT, "control");
  kinds.set(TURN_START_TEXT, "control");
  kinds.set(TURN_END_TEXT, "end");
  for (const control of moreControls) kinds.set(control, "control");
  const tokens = [...kinds].map(([text, kind]) => ({ text, kind }));
  const idOf = (text: string): number => tokens.findIndex((token) => token.text === text);
  return {
    tokens,
    merges,
    beginId: idOf(BEGIN_TEXT),
    turnStartId: idOf(TURN_START_TEXT),
    turnEndId: idOf(TURN_END_TEXT),
  };
}

/** Adds a word with the chain of merges that builds it from the left, and the fragments on the way. */
function addWord(kinds: Map<string, TokenKind>, merges: string[], word: { spelling: string; kind: TokenKind }): void {
  const letters = [...word.spelling];
  let built = letters[0] ?? "";
  for (const letter of letters.slice(1)) {
    const next = built + letter;
    if (!kinds.has(next)) {
      kinds.set(next, "fragment");
      merges.push(`${built} ${letter}`);
    }
    built = next;
  }
  kinds.set(built, word.kind);
}

/** The printable character that stands for a byte: itself where it prints, else the next free one from U+0100 on. */
function byteSpelling(byte: number): string {
  if (isPrintable(byte)) return String.fromCharCode(byte);
  let unprintableBelow = 0;
  for (let lower = 0; lower < byte; lower++) if (!isPrintable(lower)) unprintableBelow++;
  return String.fromCharCode(0x100 + unprintableBelow);
}

function isPrintable(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}
