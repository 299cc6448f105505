/** `metadata.managedFields` are often half of an object, and for most kinds of no use: they are left out before they are parsed. Pure. */

/** In JSON a quote within a text is escaped, so that this stands for a field's name wherever it stands. */
const NAME = '"managedFields":[';
const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
/** A brace, and a bracket but for this bit. */
const [OPEN, CLOSE, BRACE] = [0x7b, 0x7d, 0x20];

/** JSON as the API server writes it, without space between its parts, without the lists of that name; other text as it is. */
export const withoutManagedFields = (text: string): string => {
  let kept = "";
  let from = 0;
  for (let at = text.indexOf(NAME); at >= 0; at = text.indexOf(NAME, from)) {
    const end = endOfList(text, at + NAME.length);
    if (end === undefined) return text;
    // one comma goes with it: the one after it, or before it where it comes last
    const isLast = text.charCodeAt(end) !== COMMA;
    kept += text.slice(from, isLast && text.charCodeAt(at - 1) === COMMA ? at - 1 : at);
    from = isLast ? end : end + 1;
  }
  return from === 0 ? text : kept + text.slice(from);
};

/** Where what follows the list's end begins; undefined: it does not end. */
const endOfList = (text: string, inside: number): number | undefined => {
  let depth = 1;
  for (let at = inside; at < text.length; at++) {
    let character = text.charCodeAt(at);
    if (character === QUOTE) {
      for (
        character = text.charCodeAt(++at);
        character !== QUOTE && at < text.length;
        character = text.charCodeAt(++at)
      )
        if (character === BACKSLASH) at++;
    } else if ((character | BRACE) === OPEN) depth++;
    else if ((character | BRACE) === CLOSE && --depth === 0) return at + 1;
  }
  return undefined;
};
