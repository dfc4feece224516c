const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Whether JSON nests objects and arrays deeper than `most` levels. A scan of the bytes without recursion, so that the depth of
 * what it reads costs nothing; of bytes that are no JSON it says anything, since the parser refuses them.
 */
export function isDeeperThan(json: Buffer, most: number): boolean {
  let depth = 0;
  for (let at = 0; at < json.length; at += 1) {
    switch (json[at]) {
      case QUOTE:
        at = endOfString(json, at);
        if (at === -1) return false;
        break;
      case 0x7b: // {
      case 0x5b: // [
        depth += 1;
        if (depth > most) return true;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth -= 1;
        break;
      default:
    }
  }
  return false;
}

/** Where the string that begins at `start` ends, or -1. Most of a body is text, so it is jumped over rather than read. */
function endOfString(json: Buffer, start: number): number {
  for (let quote = json.indexOf(QUOTE, start + 1); quote !== -1; quote = json.indexOf(QUOTE, quote + 1)) {
    let before = quote - 1;
    while (json[before] === BACKSLASH) before -= 1;
    // An even number of backslashes are escaped themselves.
    if ((quote - before) % 2 === 1) return quote;
  }
  return -1;
}
