/** `npm run build:images`: OCI archives without a container engine. See docs/images.md. */
import { join, resolve } from "node:path";
import { parseArguments } from "../parse-arguments.ts";
import { type Built, buildImages } from "./build.ts";
import { IMAGE_NAMES, type ImageName } from "./catalogue.ts";
import { packageVersion } from "./contents.ts";
import type { Arch } from "./prune.ts";

const ROOT = resolve(import.meta.dirname, "../..");

const HELP = `Usage: npm run build:images -- [--only NAME[,NAME]] [--out DIR]

Writes one OCI archive per image, for this machine's architecture, without a container engine:
  ${IMAGE_NAMES.map((name) => `DIR/berth-${name}.tar   localhost/berth-${name}:VERSION`).join("\n  ")}
The same input gives the same digest; a second run reuses the layers below DIR/layers.

  --only NAME,…  only these: ${IMAGE_NAMES.join(", ")}
  --out DIR      where to (default: out/images)
  --help         this text

SOURCE_DATE_EPOCH (seconds since 1970) sets the images' creation time, 0 otherwise.`;

const main = async (): Promise<void> => {
  const { values } = parseArguments("npm run build:images --", {
    options: { only: { type: "string" }, out: { type: "string" }, help: { type: "boolean" } },
  });
  if (values.help === true) return console.log(HELP);
  const started = performance.now();
  const built = await buildImages(chosen(values.only), {
    root: ROOT,
    out: resolve(values.out ?? join(ROOT, "out/images")),
    version: await packageVersion(ROOT),
    arch: hostArch(),
    created: created(process.env.SOURCE_DATE_EPOCH),
  });
  console.log(table(built));
  console.log(`${built.length} images in ${((performance.now() - started) / 1000).toFixed(1)} s`);
};

const chosen = (only: string | undefined): ImageName[] => {
  if (only === undefined) return IMAGE_NAMES;
  return only.split(",").map((wanted) => {
    const name = IMAGE_NAMES.find((known) => known === wanted);
    if (name === undefined) throw new Error(`--only ${wanted}: there are ${IMAGE_NAMES.join(", ")}`);
    return name;
  });
};

/** The libraries are this machine's, so the images are for its architecture. */
const hostArch = (): Arch => {
  if (process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64")) return process.arch;
  throw new Error(`images are built on Linux x64 and arm64, this is ${process.platform} ${process.arch}`);
};

const created = (epoch = "0"): string => {
  if (!/^\d{1,11}$/.test(epoch)) throw new Error(`SOURCE_DATE_EPOCH is seconds since 1970, not "${epoch}"`);
  return new Date(Number(epoch) * 1000).toISOString().replace(".000", "");
};

const table = (images: readonly Built[]): string => {
  const rows = [["IMAGE", "DIGEST", "COMPRESSED", "UNPACKED", "SECONDS"]];
  for (const image of images)
    rows.push([image.reference, image.digest, mb(image.compressed), mb(image.unpacked), image.seconds.toFixed(1)]);
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
};

const mb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

try {
  await main();
} catch (error) {
  console.error(`build:images: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
