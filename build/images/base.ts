/**
 * The layer below all images: Node, the C and C++ libraries of the Debian that builds, one locale,
 * certificates and the user. No shell, no package manager.
 */
import { execFile } from "node:child_process";
import { readFile, realpath } from "node:fs/promises";
import { basename } from "node:path";
import { promisify } from "node:util";
import { localeEntries } from "./locale.ts";
import type { Arch } from "./prune.ts";
import type { Entry } from "./tar.ts";

const run = promisify(execFile);

const PLATFORM: Record<Arch, { triple: string; loader: string }> = {
  x64: { triple: "x86_64-linux-gnu", loader: "usr/lib64/ld-linux-x86-64.so.2" },
  arm64: { triple: "aarch64-linux-gnu", loader: "usr/lib/ld-linux-aarch64.so.1" },
};
export const CERTIFICATES = "etc/ssl/certs/ca-certificates.crt";

export const baseEntries = async (root: string, arch: Arch): Promise<Entry[]> => {
  const { triple, loader } = PLATFORM[arch];
  const node = `${root}/node_modules/node-linux-${arch}/bin/node`;
  const libraries = await Promise.all(
    (await libraryPaths(node, triple)).map(async (path) => file(`usr/lib/${triple}/${basename(path)}`, 0o755, path)),
  );
  return [
    { path: "tmp", kind: "directory", mode: 0o1777 },
    { path: "lib", kind: "link", target: "usr/lib" },
    { path: "lib64", kind: "link", target: "usr/lib64" },
    { path: "usr/lib64", kind: "directory", mode: 0o755 },
    ...libraries,
    await file(loader, 0o755, await realpath(`/${loader.slice(4)}`)),
    await file("usr/local/bin/node", 0o755, node),
    await file(CERTIFICATES, 0o644, `/${CERTIFICATES}`),
    text("etc/passwd", "root:x:0:0:root:/:/sbin/nologin\nberth:x:65532:65532:berth:/nonexistent:/sbin/nologin\n"),
    text("etc/group", "root:x:0:\nberth:x:65532:\n"),
    text("etc/nsswitch.conf", "hosts: files dns\n"),
    ...(await localeEntries()),
  ];
};

/** What Node links, and all of glibc's own: native add-ons link some that Node does not (librt), and the resolver is loaded late. */
const libraryPaths = async (node: string, triple: string): Promise<string[]> => {
  const linked = await output("ldd", [node]);
  const glibc = await output("dpkg", ["-L", "libc6"]);
  const named = new RegExp(String.raw`/lib/${triple}/[^/\s]+\.so\.\d+(?=\s|$)`, "gm");
  const paths = [...`${linked}\n${glibc}`.matchAll(named)].map(([path]) => path);
  return [...new Set(paths)].filter((path) => !basename(path).startsWith("ld-linux")).sort();
};

const output = async (command: string, args: string[]): Promise<string> => {
  try {
    return (await run(command, args)).stdout;
  } catch (cause) {
    throw new Error(
      `images take their C library from a Debian or Ubuntu host, and "${command}" failed here; use the Dockerfile elsewhere`,
      { cause },
    );
  }
};

const file = async (path: string, mode: number, source: string): Promise<Entry> => {
  const content = await readFile(source).catch((cause: unknown) => {
    throw new Error(
      `cannot read ${source} for the images: is it installed? (npm ci; apt-get install ca-certificates)`,
      {
        cause,
      },
    );
  });
  return { path, kind: "file", mode, content };
};

const text = (path: string, content: string): Entry => ({
  path,
  kind: "file",
  mode: 0o644,
  content: Buffer.from(content),
});
