import { type ParseArgsConfig, parseArgs } from "node:util";

/**
 * The arguments of a command. What is wrong with them is told in one line, and the process ends with 2.
 * @param command what to add --help to, such as "npm run soak --"
 */
export const parseArguments = <const T extends ParseArgsConfig>(
  command: string,
  config: T,
): ReturnType<typeof parseArgs<T>> => {
  try {
    return parseArgs(config);
  } catch (error) {
    const [sentence] = (error instanceof Error ? error.message : String(error)).split(". ");
    console.error(`${sentence}; see ${command} --help`);
    process.exit(2);
  }
};
