/** Does an image hold everything that its code imports? Asked when it is built, so that no pod has to find out. Pure. */
import { builtinModules } from "node:module";
import { posix } from "node:path";

/** The statements `import … from "x"`, `export … from "x"`, `import "x"` and `import("x")`, but not those of types, which Node erases. */
const IMPORT =
  /^\s*(?:import|export)\s+(?!type\b)(?:[^"'`;]*?\sfrom\s*)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm;

export const importsOf = (source: string): string[] =>
  [...source.matchAll(IMPORT)].flatMap((match) => match[1] ?? match[2] ?? []);

/** One message per import that leads nowhere. `sources` are by path below /app; `packages` are what the image carries. */
export const missingImports = (sources: ReadonlyMap<string, string>, packages: ReadonlySet<string>): string[] => {
  const missing: string[] = [];
  for (const [path, source] of sources)
    for (const specifier of importsOf(source)) {
      if (specifier.startsWith(".")) {
        if (!sources.has(posix.join(posix.dirname(path), specifier)))
          missing.push(`${path} imports ${specifier}, which is not in the image`);
      } else if (!isBuiltin(specifier) && !packages.has(packageOf(specifier)))
        missing.push(`${path} imports ${specifier}, which is not among the image's packages`);
    }
  return missing;
};

const isBuiltin = (specifier: string) => specifier.startsWith("node:") || builtinModules.includes(specifier);

const packageOf = (specifier: string) => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
