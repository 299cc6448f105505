/** The pieces of a body that waits, such that what they take is what they are counted as. */

export type Pieces = {
  /** Returns how many bytes of memory it takes more than before. */
  add(piece: Buffer): number;
  /** All of them, in order; there are none then. */
  takeAll(): Buffer[];
  isEmpty(): boolean;
};

/** What a Buffer takes besides its bytes (measured: 115). */
const PIECE_BYTES = 128;
/** From here on a piece is kept as it came, with all that came with it; what is smaller is copied, unless it is most of that. */
const LARGE_BYTES = 8 * 1024;
const MOST_JOINED_BYTES = 64 * 1024;
const LEAST_JOINED_BYTES = 1024;

export const createPieces = (): Pieces => {
  let pieces: Buffer[] = [];
  /** What `joined` is filled up to. */
  let joined: Buffer | undefined;
  let filled = 0;
  let bytes = 0;
  /** What the last piece that was kept as it came is a part of: the next one costs nothing more where it is, too. */
  let backing: ArrayBufferLike | undefined;

  const close = (): void => {
    if (joined !== undefined) pieces.push(joined.subarray(0, filled));
    joined = undefined;
    filled = 0;
  };

  const copy = (piece: Buffer): number => {
    if (joined === undefined || joined.length - filled < piece.length) {
      close();
      // as a rule the first piece is all of the body
      const room =
        pieces.length === 0 ? piece.length : Math.max(LEAST_JOINED_BYTES, Math.min(MOST_JOINED_BYTES, bytes));
      joined = Buffer.allocUnsafeSlow(Math.max(piece.length, room));
      filled = piece.copy(joined);
      return joined.length + PIECE_BYTES;
    }
    filled += piece.copy(joined, filled);
    return 0;
  };

  return {
    add(piece) {
      bytes += piece.length;
      const came = piece.buffer.byteLength;
      const isMost = piece.length * 2 >= came;
      if (piece.length < LARGE_BYTES && !(isMost && pieces.length === 0 && joined === undefined)) return copy(piece);
      close();
      pieces.push(piece);
      const cost = piece.buffer === backing ? 0 : came;
      backing = piece.buffer;
      return cost + PIECE_BYTES;
    },
    takeAll() {
      close();
      const all = pieces;
      pieces = [];
      backing = undefined;
      bytes = 0;
      return all;
    },
    isEmpty: () => pieces.length === 0 && joined === undefined,
  };
};
