/** One busy loop: keeps a core at work until its standard input ends, which it does when whoever started it is gone. */

/** Between two looks at the standard input. */
const SLICE_MS = 50;

const turn = (): void => {
  for (const end = performance.now() + SLICE_MS; performance.now() < end; );
  setImmediate(turn);
};

process.stdin.on("end", () => process.exit(0));
process.stdin.on("error", () => process.exit(0));
process.stdin.resume();
turn();
