/** What an answer says, in whichever protocol it is: its outputs. */
import type { Tensor } from "../../tensors/index.ts";

export type Output = Tensor & {
  /** As tolerances name it; undefined where the answer gives its only output no name. */
  name: string | undefined;
  /** The type by the answer's own words, which `datatype` holds the values of; undefined where it says none. */
  declared: string | undefined;
};

/** By its name, or its place where it has none or one that comes again. */
export type Outputs = ReadonlyMap<string, Output>;

/** Each costs an object of its own. */
export const MOST_OUTPUTS = 1024;

/** @throws Error where it is there already, or there are too many */
export const addOutput = (outputs: Map<string, Output>, place: string, output: Output): void => {
  if (outputs.has(place)) throw new Error(`it has output "${place.slice(0, 100)}" twice`);
  if (outputs.size === MOST_OUTPUTS) throw new Error(`it has more than ${MOST_OUTPUTS} outputs`);
  outputs.set(place, output);
};
