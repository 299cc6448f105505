/** The version of a routing table. */

/** A later one is none that an operator has counted to: there would be no room for those that come after it. */
export const LAST_EPOCH = 2 ** 52;
