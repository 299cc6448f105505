/** How a new revision takes over, and where its pods find room. */

/** How a new revision takes over where it does so step by step. */
export type Strategy = "canary" | "shadow" | "blueGreen";

export type Plan = "surge" | "handover" | "swap";
