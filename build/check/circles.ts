/** Circles of imports, type-only ones included: files in one can only be read, moved or tested all at once. */
import type { Import } from "./arrows.ts";

/**
 * Groups of files that import each other in a circle, by Tarjan's algorithm; each group and the list are sorted.
 * Packages are no files: an import of one is left out.
 */
export const circlesIn = (imports: readonly Import[]): string[][] => {
  const importsOf = Map.groupBy(imports, ({ from }) => from);
  const order = new Map<string, number>();
  const earliest = new Map<string, number>();
  const open: string[] = [];
  const circles: string[][] = [];
  const visit = (file: string): number => {
    const number = order.size;
    order.set(file, number);
    earliest.set(file, number);
    open.push(file);
    for (const { to } of importsOf.get(file) ?? []) {
      if (!importsOf.has(to)) continue;
      const reached = order.has(to) ? (open.includes(to) ? order.get(to) : undefined) : visit(to);
      if (reached !== undefined) earliest.set(file, Math.min(earliest.get(file) ?? number, reached));
    }
    if (earliest.get(file) === number) {
      const circle = open.splice(open.indexOf(file)).toSorted();
      if (circle.length > 1) circles.push(circle);
    }
    return earliest.get(file) ?? number;
  };
  for (const file of importsOf.keys()) if (!order.has(file)) visit(file);
  return circles.toSorted(([one = ""], [other = ""]) => one.localeCompare(other));
};
