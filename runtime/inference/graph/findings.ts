/** What is found out of a graph, as those use it who make batches. */

/**
 * For one way to join inputs, `axes` by name (those that are left out are the same for all requests of a batch): the axis
 * along which each output can be taken apart, or why that would mix rows.
 */
export type Finding = {
  axes: Readonly<Record<string, number>>;
  outputs?: Readonly<Record<string, number>> | undefined;
  reason?: string | undefined;
};

/** `reason`: why there are no findings. `words`: some of those that the model's own lists of texts have. */
export type GraphFindings = { findings: Finding[]; reason?: string | undefined; words?: string[] | undefined };

/** The finding for these axes, as long as `names`; undefined where it was not looked at. */
export const findingFor = (
  { findings }: GraphFindings,
  names: readonly string[],
  axes: readonly (number | undefined)[],
): Finding | undefined => {
  const joined = names.flatMap((name, i) => (axes[i] === undefined ? [] : [[name, axes[i]] as const]));
  return findings.find(
    (finding) =>
      joined.length === Object.keys(finding.axes).length && joined.every(([name, axis]) => finding.axes[name] === axis),
  );
};
