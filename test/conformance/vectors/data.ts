/** Where ONNX's own test vectors come from: Debian's package libonnx-testdata. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "../cache.ts";

const exec = promisify(execFile);
const INSTALLED = "/usr/share/libonnx-testdata/data";

/** A folder with model.onnx, and beside it test_data_set_0 with input_0.pb, output_0.pb and so on. */
export type Vector = { name: string; folder: string };

/** All vectors, by name. Takes the installed package, or unpacks it into the cache, which needs no root. */
export const allVectors = async (report: (line: string) => void): Promise<Vector[]> => {
  const root = existsSync(INSTALLED) ? INSTALLED : await unpacked(report);
  const folders = readdirSync(root).flatMap((group) =>
    readdirSync(join(root, group)).map((name) => `${group}/${name}`),
  );
  return folders
    .sort()
    .map((name) => ({ name, folder: join(root, name) }))
    .filter(({ folder }) => existsSync(join(folder, "model.onnx")));
};

const unpacked = async (report: (line: string) => void): Promise<string> => {
  const folder = join(cacheFolder(), "libonnx-testdata");
  const root = join(folder, INSTALLED);
  if (existsSync(root)) return root;
  report("downloading ONNX's test vectors: Debian's package libonnx-testdata, 6 MB, into the cache");
  mkdirSync(cacheFolder(), { recursive: true });
  const work = mkdtempSync(join(cacheFolder(), "unfinished-"));
  try {
    const download = () => exec("apt-get", ["download", "-q", "libonnx-testdata"], { cwd: work });
    await download().catch(async () => {
      await exec("apt-get", ["update", "-q"]);
      await download();
    });
    const archive = readdirSync(work).find((name) => name.endsWith(".deb"));
    if (archive === undefined) throw new Error("apt-get download libonnx-testdata brought no package");
    await exec("dpkg-deb", ["-x", join(work, archive), join(work, "all")]);
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(work, "all"), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return root;
};
