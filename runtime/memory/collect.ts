import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type After, after as afterMs } from "../event-loop/after.ts";

/** What is smaller leaves with V8's own collections, and so does what is little together. */
const LARGE_BYTES = 64 * 1024;
const MUCH_BYTES = 8 * 1024 ** 2;
const QUIET_MS = 2000;

/**
 * An event loop with nothing to do allocates nothing, so that V8 collects nothing: what large requests and answers have left would
 * stay until somebody asks again, for hours.
 *
 * @param mostLeft so many bytes may be left until they are collected though more come: V8 waits for too long under a small limit
 * @returns to be called with the bytes of what is not held any more; once no large ones have come for two seconds, all is collected
 */
export const collectWhenQuiet = (
  mostLeft: number,
  collect: () => void = collector(),
  after: After = afterMs,
): ((bytes: number) => void) => {
  let armed: ReturnType<After> | undefined;
  let soon: ReturnType<After> | undefined;
  let left = 0;
  const run = (): void => {
    left = 0;
    collect();
  };
  return (bytes) => {
    if (bytes < LARGE_BYTES) return;
    left += bytes;
    if (left < MUCH_BYTES) return;
    if (left > mostLeft) {
      // in a turn of the event loop of its own: a collection takes tens of milliseconds
      left = 0;
      if (soon === undefined) soon = after(0, run);
      else soon.refresh();
    } else if (armed === undefined) armed = after(QUIET_MS, run);
    else armed.refresh();
  };
};

/** Collects what is young, in some milliseconds: pieces that came and went since the last time. */
export const youngCollector = (): (() => void) => collector({ type: "minor" });

/** V8 gives its collector to contexts that are made while the flag is set. */
const collector = (options: { type: "major" | "minor" } = { type: "major" }): (() => void) => {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  return () => {
    if (typeof collect === "function") collect(options);
  };
};
