import { parseArgs } from "node:util";

const LOOPS = 8;
/** More show nothing new and may leave the machine without an answer. */
const MOST_LOOPS = 256;

const OPTIONS = { loops: { type: "string" }, help: { type: "boolean" } } as const;

export type Wanted = { loops: number; command: readonly string[] };

/**
 * Options come first; all that follows from the first other word on (or from `--`) is the command, with its options.
 * @returns "help" where only that is asked for
 * @throws with what is wrong and what to write
 */
export const parseBusy = (args: readonly string[]): Wanted | "help" => {
  const { tokens } = parseArgs({
    args: [...args],
    options: OPTIONS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const first = tokens.find(({ kind }) => kind !== "option");
  const own = args.slice(0, first?.index);
  const command = args.slice(first === undefined ? args.length : first.index + (first.kind === "positional" ? 0 : 1));
  const { values } = parseArgs({ args: [...own], options: OPTIONS });
  if (values.help === true) return "help";
  return { loops: countOf(values.loops), command: command.length > 0 ? command : ["npm", "test"] };
};

const countOf = (text = String(LOOPS)): number => {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= MOST_LOOPS) return count;
  throw new Error(`--loops ${text}: a whole number from 1 to ${MOST_LOOPS} is needed`);
};
