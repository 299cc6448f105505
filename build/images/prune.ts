/** Which files of a package are needed at run time. Pure; proved by loading every package from the pruned tree. */

/** Node's names: `x64`, `arm64`. */
export type Arch = "x64" | "arm64";

/** Top-level folders of packages that hold no code that the package loads. */
const FOLDERS = new Set(
  ".github __tests__ bench benchmark benchmarks coverage doc docs example examples script test tests".split(" "),
);
/** Types, sources (Node refuses TypeScript below node_modules), source maps, prose. Licences stay: they have to go along. */
const FILES = /(\.[cm]?ts|\.map|\.flow|\.tsbuildinfo|\.md|\.markdown|\.yml|\.yaml|\.lock|\.test\.[cm]?js)$/i;
const LICENCE = /^(licen[cs]e|notice|copying)/i;

/** Dependencies that nothing loads on Node at run time. */
export const neverLoaded = (name: string): boolean =>
  name.startsWith("@types/") || // types only
  ["undici-types", "type-fest"].includes(name) ||
  name.startsWith("bare-") || // stand-ins for Node's own modules on the Bare runtime, with binaries for ten platforms
  ["adm-zip", "global-agent"].includes(name); // of onnxruntime-node's install script, which does not run

/** `path` is relative to the package's folder. */
export const needed = (name: string, path: string, arch: Arch): boolean => {
  const file = path.slice(path.lastIndexOf("/") + 1);
  if (LICENCE.test(file)) return true;
  if (path.startsWith("node_modules/") || file.startsWith(".")) return false;
  if (path.includes("/") && FOLDERS.has(path.slice(0, path.indexOf("/")))) return false;
  if (name === "onnxruntime-node" && path.startsWith("bin/")) return path.startsWith(`bin/napi-v6/linux/${arch}/`);
  return !FILES.test(file);
};
