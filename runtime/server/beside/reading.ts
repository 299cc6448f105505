/** How long the door's thread would be held by reading a JSON text, from a look at a sixteenth of it. */

/**
 * Of each stretch one window is looked at, at a random place: what is dear cannot be put where nobody looks. The look itself costs
 * about a hundredth of the reading.
 */
const STRETCH = 1024;
const WINDOW = 64;

/** What the time follows from: how many there are of each. */
type Marks = {
  bytes: number;
  commas: number;
  quotes: number;
  /** Strings with escapes go through JSON.parse, those beyond ASCII through a check of UTF-8. */
  escapes: number;
  wide: number;
  lists: number;
  objects: number;
  keys: number;
  exponents: number;
  /** Numbers of more digits than a double holds. */
  long: number;
};

/**
 * Nanoseconds. Fitted to processor time of both protocols' handlers on a busy core of a shared machine, Node 24.21, 600 KB of each
 * shape (`reading.test.ts` lists them): rows of TensorFlow Serving take 2600 ns for each `{"x":1}`, numbers 30 to 130.
 */
const NS = {
  byte: 5,
  comma: 20,
  quote: 13,
  escape: 10,
  escapedString: 620,
  wideString: 220,
  list: 80,
  object: 1400,
  key: 900,
  exponent: 120,
  long: 800,
};

/** @param random in [0, 1) */
export const readingMs = (json: Uint8Array, random: () => number = Math.random): number => {
  const marks: Marks = {
    ...{ bytes: 0, commas: 0, quotes: 0, escapes: 0, wide: 0 },
    ...{ lists: 0, objects: 0, keys: 0, exponents: 0, long: 0 },
  };
  for (let from = 0; from < json.length; from += STRETCH) {
    const stretch = Math.min(STRETCH, json.length - from);
    const window = Math.min(WINDOW, stretch);
    const start = from + Math.floor(random() * (stretch - window + 1));
    look(json, start, start + window, marks);
  }
  if (marks.bytes === 0) return 0;
  return (json.length / marks.bytes) * nsOf(marks) * 1e-6;
};

const nsOf = (marks: Marks): number => {
  const { bytes, commas, escapes, exponents, keys, lists, long, objects, quotes, wide } = marks;
  const strings = quotes / 2;
  return (
    NS.byte * bytes +
    NS.comma * commas +
    NS.quote * quotes +
    NS.escape * escapes +
    NS.escapedString * Math.min(strings, escapes) +
    NS.wideString * Math.min(strings, wide) +
    NS.list * lists +
    NS.object * objects +
    NS.key * keys +
    NS.exponent * exponents +
    NS.long * long
  );
};

/** A double has 15 to 17 digits; whole numbers of more are read twice, and fractions that have many more. */
const MOST_WHOLE = 16;
const MOST_FRACTION = 20;

const look = (text: Uint8Array, from: number, to: number, marks: Marks): void => {
  let digits = 0;
  let most = MOST_WHOLE;
  for (let at = from; at < to; at++) {
    const byte = text[at] ?? 0;
    if (byte >= 0x30 && byte <= 0x39) {
      if (++digits === most) marks.long++;
      continue;
    }
    switch (byte) {
      case 0x2c:
        marks.commas++;
        break;
      case 0x22:
        marks.quotes++;
        break;
      case 0x5c:
        marks.escapes++;
        at++;
        break;
      case 0x5b:
        marks.lists++;
        break;
      case 0x7b:
        marks.objects++;
        break;
      case 0x3a:
        marks.keys++;
        break;
      case 0x45:
      case 0x65:
        if (digits > 0) marks.exponents++;
        break;
      default:
        if (byte >= 0x80) marks.wide++;
    }
    digits = 0;
    most = byte === 0x2e ? MOST_FRACTION : MOST_WHOLE;
  }
  marks.bytes += to - from;
};
