import { invalid } from "../errors/request-error.ts";
import { MOST_STRINGS } from "../tensors/strings.ts";

/**
 * Throws a RequestError where a tensor of BYTES has more strings than one may have.
 * @param label what messages begin with, such as `input "x"`
 */
export const boundStrings = (label: string, count: number): void => {
  if (count > MOST_STRINGS) {
    throw invalid(`${label}: has ${count} strings, at most ${MOST_STRINGS} may be in one tensor; send less at once`);
  }
};
