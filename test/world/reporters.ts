/** Arguments of `node --test`: what it would print anyway, and the failures once more into `file`. */
import { fileURLToPath } from "node:url";

const FAILURES = fileURLToPath(new URL("failures-reporter.ts", import.meta.url));

export const reportersTo = (file: string): string[] => [
  ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
  ...[`--test-reporter=${FAILURES}`, `--test-reporter-destination=${file}`],
];
