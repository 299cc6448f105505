/** The images that the repository makes. */
import type { Contents } from "./contents.ts";

export type ImageName = "operator" | "runtime" | "model-server";

export type Image = Contents & { title: string; models: boolean };

export const CATALOGUE: Record<ImageName, Image> = {
  operator: {
    title: "Berth operator",
    packages: ["@kubernetes/client-node", "js-yaml", "pino", "prom-client", "undici", "zod"],
    code: ["operator", "contract"],
    entry: "operator/main.ts",
    // credentials of plugins are for a developer's kubeconfig: what reads them takes as long to load as all the rest
    oneFile: { apart: ["@kubernetes/client-node"] },
    models: false,
  },
  runtime: {
    title: "Berth inference runtime (onnxruntime, CPU)",
    packages: [
      "@grpc/grpc-js",
      "@grpc/proto-loader",
      "@grpc/reflection",
      "onnxruntime-node",
      "pino",
      "prom-client",
      "undici",
      "zod",
    ],
    code: ["runtime", "contract"],
    entry: "runtime/main.ts",
    models: false,
  },
  "model-server": {
    title: "Models over HTTP, with the faults that tests ask for",
    packages: [],
    code: ["test/fixtures/model-server"],
    entry: "test/fixtures/model-server/main.ts",
    models: true,
  },
};

export const IMAGE_NAMES = Object.keys(CATALOGUE) as ImageName[];
