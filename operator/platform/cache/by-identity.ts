/** What follows from an object of the caches follows from it in every pass: it is worked out once. Pure. */

/**
 * `make`, kept for each object for as long as that lives. Only of what cannot change: the objects of the caches are frozen.
 * @throws what `make` throws, each time
 */
export const byIdentity = <Source extends object, Result>(make: (source: Source) => Result) => {
  const known = new WeakMap<Source, { result: Result }>();
  return (source: Source): Result => {
    const before = known.get(source);
    if (before !== undefined) return before.result;
    const result = make(source);
    if (Object.isFrozen(source)) known.set(source, { result });
    return result;
  };
};
