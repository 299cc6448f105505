// The code of RFC 7541, Appendix B, is canonical: codes of one length follow each other in the order of their symbols, so
// the lengths say all. A run is [length in bits, count of symbols]; the symbols are the bytes 0 to 255, then the end.
const RUNS = `13 23 28*7 24 30 28*2 30 28*8 30 28*9 6 10*2 12 13 6 8 11 10*2 8 11 8 6*3 5*3 6*7 7 8 15 6 12 10 13 6 7*22 8 7 8
13 19 13 14 6 15 5 6 5 6 5 6*3 5 7*2 6*3 5 6 7 6 5*2 6 7*5 15 11 14 13 28 20 22 20*2 22*3 23 22 23*5 24 23 24*2 22 23 24
23*4 21 22 23 22 23*2 24 22 21 20 22*2 23*2 21 23 22*2 24 21 22 23*2 21*2 22 21 23 22 23*2 20 22*3 23 22*2 23 26*2 20 19 22
23 22 25 26*3 27*2 26 24 25 19 21 26 27*2 26 27 24 21*2 26*2 28 27*3 20 24 20 21 22 21*2 23 22*2 25*2 24*2 26 23 26 27 26*2
27*5 28 27*5 26 30`;

const END = 256;
const lengths = RUNS.split(/\s+/).flatMap((run) => {
  const [length = "", count = "1"] = run.split("*");
  return new Array<number>(Number(count)).fill(Number(length));
});

// A state is an inner node of the code's tree; for each state and next four bits: the next state, and the symbol that ended
// within them (none is shorter than five bits, so at most one does), or that there is no such code.
const FAIL = -1;
const NONE = -1;

type Node = { children: [Node | undefined, Node | undefined]; symbol: number; id: number; padding: boolean };

const build = () => {
  const nodes: Node[] = [];
  const add = (padding: boolean): Node => {
    const node: Node = { children: [undefined, undefined], symbol: NONE, id: -1, padding };
    nodes.push(node);
    return node;
  };
  const root = add(true);
  let code = 0;
  for (let length = 1; length <= 30; length++, code *= 2) {
    for (const [symbol, its] of lengths.entries()) {
      if (its !== length) continue;
      let node = root;
      for (let bit = length - 1; bit >= 0; bit--) {
        const side = Math.floor(code / 2 ** bit) % 2 === 1 ? 1 : 0;
        // What is left at the end must be the first bits of the end symbol, all ones, and fewer than eight.
        node = node.children[side] ??= add(side === 1 && node.padding && length - bit < 8);
      }
      node.symbol = symbol;
      code++;
    }
  }
  const inner = nodes.filter(({ symbol }) => symbol === NONE);
  for (const [id, node] of inner.entries()) node.id = id;
  const next = new Int16Array(inner.length * 16).fill(FAIL);
  const emits = new Int16Array(inner.length * 16).fill(NONE);
  for (const from of inner) {
    for (let nibble = 0; nibble < 16; nibble++) {
      let node: Node | undefined = from;
      let emitted = NONE;
      for (let bit = 3; bit >= 0 && node !== undefined; bit--) {
        node = node.children[(nibble >> bit) & 1 ? 1 : 0];
        if (node === undefined || node.symbol === NONE) continue;
        emitted = node.symbol;
        node = emitted === END ? undefined : root;
      }
      next[from.id * 16 + nibble] = node?.id ?? FAIL;
      emits[from.id * 16 + nibble] = emitted;
    }
  }
  return { next, emits, mayEnd: Uint8Array.from(inner, ({ padding }) => (padding ? 1 : 0)) };
};

const { next, emits, mayEnd } = build();

/** The lengths fill the code: no code is missing and none is there twice. */
export const isComplete = (): boolean =>
  lengths.length === 257 && lengths.reduce((sum, length) => sum + 2 ** (30 - length), 0) === 2 ** 30;

/**
 * Writes what the bytes from `start` to `end` stand for to `into`, which must have room for 8/5 of their count.
 * @returns how many bytes it wrote, or -1 where the bytes are no such code
 */
export const decodeHuffman = (bytes: Uint8Array, start: number, end: number, into: Uint8Array): number => {
  let state = 0;
  let length = 0;
  for (let i = start * 2; i < end * 2; i++) {
    const byte = bytes[i >> 1] ?? 0;
    const at = state * 16 + ((i & 1) === 0 ? byte >> 4 : byte & 15);
    state = next[at] ?? FAIL;
    if (state === FAIL) return -1;
    const symbol = emits[at] ?? NONE;
    if (symbol !== NONE) into[length++] = symbol;
  }
  return mayEnd[state] === 1 ? length : -1;
};
