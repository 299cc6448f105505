/** The memory for bodies that are kept so that they can be sent again: what no longer fits passes through without being kept. */

export type KeptBytes = {
  /** False, and nothing is taken, where so many do not fit. */
  take(bytes: number): boolean;
  give(bytes: number): void;
  used(): number;
};

/** A body that is larger is never kept: it could be sent again only at the cost of many others. In bytes. */
export const MOST_KEPT_OF_ONE = 1024 ** 2;

export const createKeptBytes = (most: number): KeptBytes => {
  let used = 0;
  return {
    take: (bytes) => {
      if (used + bytes > most) return false;
      used += bytes;
      return true;
    },
    give: (bytes) => {
      used -= bytes;
    },
    used: () => used,
  };
};
