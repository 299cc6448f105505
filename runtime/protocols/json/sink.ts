/** Where the elements of a JSON tensor go while they are read. */
import type { Source } from "./source.ts";

/** Takes elements one after the other. */
export type Sink = {
  /** Reads values and the commas between them from `source.at`, where a value must stand; gives how many. */
  read(source: Source): number;
  /** The elements as a tensor's bytes. */
  finish(): Uint8Array;
};
