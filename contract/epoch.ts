/** The version of a routing table. */

/**
 * No operator counts so far. Routers take a table of this epoch, which somebody may have made up, and none of a later one; whoever follows it
 * leaves it for any other, so that there is always a way back.
 */
export const LAST_EPOCH = 2 ** 52;
