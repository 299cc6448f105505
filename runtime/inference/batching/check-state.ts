/** What is kept of the checks of live batches. */

import { type Budget, newBudget } from "./check-budget.ts";
import type { CheckCounts } from "./types.ts";
import type { Magnitudes } from "./verdict.ts";

export type Checks = {
  readonly budget: Budget;
  readonly magnitudes: Magnitudes;
  readonly counts: CheckCounts;
  isRunning: boolean;
};

export const newChecks = (): Checks => ({
  budget: newBudget(),
  magnitudes: new Map(),
  counts: { same: 0, rounding: 0, different: 0 },
  isRunning: false,
});
