import type { Tensor } from "../tensors/index.ts";

type Outputs = ReadonlyMap<string, Tensor>;

/** Smaller ones are copied anyhow. */
const LARGE_BYTES = 1024 ** 2;
const wholes = new WeakSet<Outputs>();

/** These outputs share their memory with no other request's: they are those of a run that was theirs alone. */
export const noteWhole = (outputs: Outputs): void => {
  for (const { bytes } of outputs.values()) {
    if (bytes.length > LARGE_BYTES) {
      wholes.add(outputs);
      return;
    }
  }
};

export const isWhole = (outputs: Outputs): boolean => wholes.has(outputs);
