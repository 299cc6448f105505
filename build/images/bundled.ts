/**
 * A program as one file, with the packages that each start loads. Node asks for, reads and links each file by itself, and runs all that
 * packages have whether it is used or not: of a start that is most of what comes before the first request.
 */
import { join } from "node:path";
import { build } from "esbuild";

export type Bundle = { code: Uint8Array; map: Uint8Array };

/** @param apart packages that stay files of their own: they are loaded only where they are asked for */
export const bundled = async (root: string, entry: string, apart: readonly string[]): Promise<Bundle> => {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    external: [...apart],
    outfile: join(root, "main.js"),
    bundle: true,
    write: false,
    platform: "node",
    format: "cjs",
    target: "node24",
    sourcemap: "external",
    sourcesContent: false,
    legalComments: "none",
    logLevel: "silent",
    tsconfigRaw: {},
  });
  const [map, code] = ["main.js.map", "main.js"].map(
    (name) => outputFiles.find(({ path }) => path === join(root, name))?.contents,
  );
  if (code === undefined || map === undefined) throw new Error(`${entry}: esbuild made no bundle of it`);
  return { code, map };
};
