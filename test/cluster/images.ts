import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { run } from "./commands.ts";
import { containerdSocket } from "./components/containerd.ts";
import { ClusterError, CommandFailed } from "./errors.ts";
import { inNode } from "./node.ts";
import type { NodePlan } from "./plan.ts";

const indexFile = z.object({
  manifests: z.array(z.object({ digest: z.string(), annotations: z.record(z.string(), z.string()).optional() })),
});

/** Name and digest of each image in an OCI archive's index.json. An image without a full name is left out. */
export const namedImages = (index: unknown): { name: string; digest: string }[] =>
  indexFile.parse(index).manifests.flatMap(({ digest, annotations = {} }) => {
    const name = annotations["io.containerd.image.name"] ?? annotations["org.opencontainers.image.ref.name"];
    return name?.includes("/") ? [{ name, digest }] : [];
  });

const imagesIn = async (archive: string): Promise<{ name: string; digest: string }[]> => {
  if (!existsSync(archive)) throw new ClusterError(`no such image archive: ${archive}`);
  const names = (await run(["tar", "-tf", archive])).stdout.split("\n");
  const index = names.find((name) => name === "index.json" || name === "./index.json");
  if (index === undefined) return [];
  return namedImages(JSON.parse((await run(["tar", "-xOf", archive, index])).stdout));
};

const ctr = (node: NodePlan, args: readonly string[]): string[] =>
  inNode(node, ["ctr", "--address", containerdSocket, "--namespace", "k8s.io", "images", ...args]);

/** Lines "NAME TYPE DIGEST …" of `ctr images ls`. */
export const holds = (listing: string, images: readonly { name: string; digest: string }[]): boolean => {
  const present = new Map(
    listing
      .split("\n")
      .map((line) => line.split(/\s+/))
      .map(([name = "", , digest = ""]) => [name, digest]),
  );
  return images.length > 0 && images.every(({ name, digest }) => present.get(name) === digest);
};

/** Imports archives on a node, except for those whose images it has with the same digest. Returns how many it imported. */
export const importImages = async (node: NodePlan, archives: readonly string[]): Promise<number> => {
  let imported = 0;
  for (const archive of archives.map((file) => resolve(file))) {
    const images = await imagesIn(archive);
    if (holds((await run(ctr(node, ["ls"]))).stdout, images)) continue;
    try {
      await run(ctr(node, ["import", archive]));
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      throw new ClusterError(`cannot load ${archive} on ${node.name}: ${error.stderr.trim()}`);
    }
    imported += 1;
  }
  return imported;
};
