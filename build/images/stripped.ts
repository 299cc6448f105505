/**
 * Sources as an image holds them: without types, for a pod can keep nothing of what Node makes of TypeScript. Stripping at every start
 * takes a third of it, and 12 MB of each process and thread for as long as they live. Lines and columns stay. Pure.
 */
import { stripTypeScriptTypes } from "node:module";

/** Paths to modules of our own: in imports, and in the URLs of workers and children. */
const OWN_MODULE = /(["'])(\.{1,2}\/[^"'\n]+)\.ts\1/g;

/** @throws on syntax that is not erased, but compiled (enums, namespaces, parameter properties) */
export const stripped = (source: string): string =>
  stripTypeScriptTypes(source, { mode: "strip" }).replace(OWN_MODULE, "$1$2.js$1");

/** `operator/main.ts` is `operator/main.js` in an image; what is no TypeScript keeps its name. */
export const strippedPath = (path: string): string => path.replace(/\.ts$/, ".js");
