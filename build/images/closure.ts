/** Which installed packages an image needs, read from package-lock.json. Pure. */
import { z } from "zod";

const Lock = z.object({
  packages: z.record(z.string(), z.object({ dependencies: z.record(z.string(), z.string()).optional() })),
});
export type Lock = z.infer<typeof Lock>;

export const parseLock = (json: string): Lock => Lock.parse(JSON.parse(json));

/**
 * The folders (`node_modules/a`, `node_modules/a/node_modules/b`) of `names` and of everything they
 * depend on, sorted. Optional and peer dependencies are left out: nothing that an image runs uses one.
 * `leaveOut` says which dependencies are never loaded on Node at run time.
 */
export const closure = (lock: Lock, names: readonly string[], leaveOut: (name: string) => boolean): string[] => {
  const found = new Set<string>();
  const open = names.map((name) => locate(lock, "", name));
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    if (found.has(folder)) continue;
    found.add(folder);
    for (const name of Object.keys(lock.packages[folder]?.dependencies ?? {}))
      if (!leaveOut(name)) open.push(locate(lock, folder, name));
  }
  return [...found].sort();
};

/** As Node resolves: the nearest node_modules upwards of `from`. */
const locate = (lock: Lock, from: string, name: string): string => {
  for (let above = from; ; above = above.slice(0, Math.max(0, above.lastIndexOf("/node_modules/")))) {
    const folder = `${above === "" ? "" : `${above}/`}node_modules/${name}`;
    if (folder in lock.packages) return folder;
    if (above === "") throw new Error(`package-lock.json has no "${name}", which ${from || "an image"} needs`);
  }
};

/** The name of the package in a folder of node_modules. */
export const packageName = (folder: string): string => folder.slice(folder.lastIndexOf("node_modules/") + 13);
