/** Lines out of pieces: each byte is looked at once, however small the pieces are. Pure. */

const LINE_FEED = 0x0a;

/** Takes a piece, gives the lines that it ends, without their line feeds; undefined once a line is longer than `most` bytes. */
export const createLineReader = (most: number): ((piece: Buffer) => Buffer[] | undefined) => {
  let [begun, length]: [Buffer[], number] = [[], 0];
  return (piece) => {
    const lines: Buffer[] = [];
    let from = 0;
    for (let end = piece.indexOf(LINE_FEED); end >= 0; end = piece.indexOf(LINE_FEED, from)) {
      const line = Buffer.concat([...begun, piece.subarray(from, end)]);
      if (line.length > most) return undefined;
      lines.push(line);
      [begun, length, from] = [[], 0, end + 1];
    }
    if (from < piece.length) begun.push(piece.subarray(from));
    length += piece.length - from;
    // a piece keeps the whole of what the socket has read
    if (begun.length > 64) begun = [Buffer.concat(begun)];
    return length > most ? undefined : lines;
  };
};
