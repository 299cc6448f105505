import { setFlagsFromString } from "node:v8";

/**
 * For a process through which many bodies go and whose own heap is small. Bodies are memory outside of V8's heap: as V8 counts by
 * default, each 64 MB of them are a full collection of the heap, and threads beside the main one mark it, for longer than the
 * main one would. Without both, a request of 600 KB through the router costs about 0.55 times the CPU (docs/benchmarks.md).
 */
export const tuneForBodies = (): void => {
  setFlagsFromString("--external-memory-accounted-in-global-limit");
  setFlagsFromString("--no-concurrent-marking");
};
