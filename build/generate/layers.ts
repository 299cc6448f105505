/** Folders and what they import, as layers of a picture. Pure. */
import type { Import } from "../check/arrows.ts";

export type Layer = readonly string[];
/** `layers`: from below to above; a folder is above all that it imports. `arrows`: without those that follow from others. */
export type Layers = { layers: Layer[]; arrows: readonly Import[] };

/** @param folderOf of a file; undefined for what is not in the picture */
export const layersOf = (imports: readonly Import[], folderOf: (file: string) => string | undefined): Layers => {
  const below = new Map<string, Set<string>>();
  for (const { from, to } of imports) {
    const [upper, lower] = [folderOf(from), folderOf(to)];
    if (upper === undefined) continue;
    const known = below.get(upper) ?? new Set();
    below.set(upper, known);
    if (lower === undefined || lower === upper) continue;
    known.add(lower);
    if (!below.has(lower)) below.set(lower, new Set());
  }
  const heights = new Map<string, number>();
  /** @param above what has been come from: folders in a circle have no height */
  const heightOf = (folder: string, above: readonly string[]): number => {
    if (above.includes(folder))
      throw new Error(`folders import each other in a circle: ${[...above, folder].join(" → ")}`);
    const known = heights.get(folder);
    if (known !== undefined) return known;
    const under = [...(below.get(folder) ?? [])].map((lower) => heightOf(lower, [...above, folder]) + 1);
    const height = Math.max(0, ...under);
    heights.set(folder, height);
    return height;
  };
  const layers: string[][] = [];
  for (const folder of [...below.keys()].sort()) {
    const height = heightOf(folder, []);
    while (layers.length <= height) layers.push([]);
    layers[height]?.push(folder);
  }
  const reaches = (from: string, to: string): boolean => {
    const direct = below.get(from) ?? new Set();
    return direct.has(to) || [...direct].some((lower) => reaches(lower, to));
  };
  const arrows = [...below]
    .flatMap(([from, all]) =>
      [...all]
        .filter((to) => ![...all].some((other) => other !== to && reaches(other, to)))
        .map((to) => ({ from, to })),
    )
    .sort((one, other) => `${one.from} ${one.to}`.localeCompare(`${other.from} ${other.to}`));
  return { layers, arrows };
};
