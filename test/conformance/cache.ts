import { homedir } from "node:os";
import { join } from "node:path";

/** What is downloaded for these tests stays outside the checkout, beside the programs of the dev cluster. */
export const cacheFolder = (): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "berth", "conformance");
