import { setFlagsFromString } from "node:v8";

/**
 * Bodies are memory outside of V8's heap. As V8 counts by default, each 64 MB of them are a full collection of the heap: with
 * this, a request of 600 KB through the router costs 0.7 times the CPU (docs/benchmarks.md).
 */
export const countExternalMemory = (): void => setFlagsFromString("--external-memory-accounted-in-global-limit");
