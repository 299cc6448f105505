/** Models that show each way in which rows of a batch can change each other, and models whose rows do not. */
import type { GraphCase } from "../case.ts";
import { COUPLED_FLOW } from "./coupled-flow.ts";
import { COUPLED_PLACES } from "./coupled-places.ts";
import { COUPLED_REDUCTIONS } from "./coupled-reductions.ts";
import { COUPLED_SIZES } from "./coupled-sizes.ts";
import { INDEPENDENT_LAYERS } from "./independent-layers.ts";
import { INDEPENDENT_MODELS } from "./independent-models.ts";

export const COUPLED: readonly GraphCase[] = [
  ...COUPLED_REDUCTIONS,
  ...COUPLED_PLACES,
  ...COUPLED_FLOW,
  ...COUPLED_SIZES,
];
export const INDEPENDENT: readonly GraphCase[] = [...INDEPENDENT_LAYERS, ...INDEPENDENT_MODELS];
