/** The OCI image layout: https://github.com/opencontainers/image-spec, written as one tar archive. Pure. */
import { createHash } from "node:crypto";
import type { Arch } from "./prune.ts";
import type { Entry } from "./tar.ts";

/** One layer: `diffId` is the digest of the tar, `digest` that of the gzipped `blob`; `size` is of the tar, in bytes. */
export type Layer = { name: string; diffId: string; digest: string; size: number; blob: Uint8Array };

export type ImageConfig = {
  /** With its tag: `localhost/berth-operator:0.1.0`. */
  reference: string;
  entrypoint: readonly string[];
  env: Readonly<Record<string, string>>;
  labels: Readonly<Record<string, string>>;
  workingDirectory: string;
  arch: Arch;
  /** RFC 3339. */
  created: string;
};

/** Of nobody: 65532 is what other images without root use, so that policies that name it fit. */
export const USER = "65532:65532";

const TYPE = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
};

export const sha256 = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** `digest` is the manifest's: what a registry and `ctr images ls` call the image. */
export const ociImage = (image: ImageConfig, layers: readonly Layer[]): { digest: string; entries: Entry[] } => {
  const config = json({
    created: image.created,
    architecture: image.arch === "x64" ? "amd64" : "arm64",
    os: "linux",
    config: {
      User: USER,
      Env: Object.entries(image.env).map(([name, value]) => `${name}=${value}`),
      Entrypoint: image.entrypoint,
      WorkingDir: image.workingDirectory,
      Labels: image.labels,
    },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map((layer) => ({ created: image.created, created_by: `layer ${layer.name}` })),
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: TYPE.manifest,
    config: descriptor(TYPE.config, config),
    layers: layers.map((layer) => ({ mediaType: TYPE.layer, digest: layer.digest, size: layer.blob.byteLength })),
  });
  const index = json({
    schemaVersion: 2,
    mediaType: TYPE.index,
    manifests: [
      {
        ...descriptor(TYPE.manifest, manifest),
        annotations: {
          "io.containerd.image.name": image.reference,
          "org.opencontainers.image.ref.name": image.reference.slice(image.reference.lastIndexOf(":") + 1),
        },
      },
    ],
  });
  const blobs = [config, manifest, ...layers.map((layer) => layer.blob)];
  return {
    digest: sha256(manifest),
    entries: [
      file("oci-layout", json({ imageLayoutVersion: "1.0.0" })),
      file("index.json", index),
      ...blobs.map((blob) => file(`blobs/sha256/${sha256(blob).slice(7)}`, blob)),
    ],
  };
};

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const descriptor = (mediaType: string, blob: Uint8Array) => ({
  mediaType,
  digest: sha256(blob),
  size: blob.byteLength,
});
const file = (path: string, content: Uint8Array): Entry => ({ path, kind: "file", mode: 0o644, content });
