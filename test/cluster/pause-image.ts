import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { run, succeeds } from "./commands.ts";
import { pauseImage } from "./components/containerd.ts";
import { ClusterError } from "./errors.ts";
import { withLock } from "./lock.ts";
import type { Report } from "./types.ts";

const busybox = "/bin/busybox";
/** The commands that a debug shell in this image has. */
const applets = ["sh", "sleep", "wget", "httpd", "nslookup", "cat", "ls", "id", "env"];
const user = "65532:65532";

/** Packs busybox as the image `pauseImage`: it holds a pod's namespaces, and is a debug shell. Path of an OCI archive. */
export const ensurePauseImage = async (cache: string, report: Report): Promise<string> => {
  if (!existsSync(busybox) || (await succeeds(["ldd", busybox]))) {
    throw new ClusterError(`${busybox} is missing or not static: install the package busybox-static`);
  }
  const inputs = await Promise.all([import.meta.filename, busybox].map((file) => readFile(file)));
  const hash = createHash("sha256").update(pauseImage);
  for (const input of inputs) hash.update(input);
  const archive = join(cache, `pause-${hash.digest("hex").slice(0, 16)}.tar`);
  if (existsSync(archive)) return archive;
  const waiting = () => report("another process is packing the pause image: waiting for it");
  await withLock(`${archive}.lock`, waiting, async () => {
    if (existsSync(archive)) return;
    const work = await mkdtemp(join(cache, "pause-"));
    try {
      await rename(await pack(work), archive);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
  return archive;
};

const pack = async (work: string): Promise<string> => {
  const root = join(work, "root");
  await mkdir(join(root, "bin"), { recursive: true });
  await mkdir(join(root, "tmp"));
  await chmod(join(root, "tmp"), 0o1777); // mkdir would take the umask from it
  await copyFile(busybox, join(root, "bin/busybox"));
  for (const applet of applets) await symlink("busybox", join(root, "bin", applet));
  const layout = join(work, "layout");
  const image = `${layout}:1`;
  await run(["umoci", "init", "--layout", layout]);
  await run(["umoci", "new", "--image", image]);
  await run(["umoci", "insert", "--image", image, root, "/"]);
  const config = { user, cmd: ["sleep", "2147483647"], env: ["PATH=/bin"] };
  await run([
    ...["umoci", "config", "--image", image, "--no-history", "--config.user", config.user],
    ...config.cmd.flatMap((word) => ["--config.cmd", word]),
    ...config.env.flatMap((pair) => ["--config.env", pair]),
  ]);
  await nameImage(join(layout, "index.json"));
  await run(["umoci", "gc", "--layout", layout]);
  const archive = join(work, "image.tar");
  await run(["tar", "-C", layout, "-cf", archive, "."]);
  return archive;
};

/** containerd takes an image's name from this annotation, which umoci does not write. */
const nameImage = async (file: string): Promise<void> => {
  const index = z
    .looseObject({ manifests: z.array(z.looseObject({})).length(1) })
    .parse(JSON.parse(await readFile(file, "utf8")));
  const annotations = { "io.containerd.image.name": pauseImage, "org.opencontainers.image.ref.name": "1" };
  const manifests = index.manifests.map((manifest) => ({ ...manifest, annotations }));
  await writeFile(file, JSON.stringify({ ...index, manifests }));
};
