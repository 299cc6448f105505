import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CLUSTER_PATIENCE_S } from "./patience.ts";

const run = promisify(execFile);

export const CHART = fileURLToPath(new URL("../../charts/berth", import.meta.url));
export const OPERATOR_NAMESPACE = "berth-system";
export const RELEASE = "berth";

export type Helm = (args: readonly string[]) => Promise<string>;

/** The real Helm, against one cluster. Rejects with what helm wrote to its error output. */
export const helmOf =
  (program: string, kubeconfig: string): Helm =>
  async (args) => {
    try {
      const { stdout } = await run(program, [...args, "--kubeconfig", kubeconfig], { maxBuffer: 16 << 20 });
      return stdout;
    } catch (error) {
      const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : String(error);
      throw new Error(`helm ${args.join(" ")}: ${said}`, { cause: error });
    }
  };

/** Installs the chart, or upgrades what is installed, and waits until the operator is available. */
export const installChart = (helm: Helm, settings: readonly string[] = []): Promise<string> =>
  helm([
    "upgrade",
    "--install",
    RELEASE,
    CHART,
    "--namespace",
    OPERATOR_NAMESPACE,
    "--create-namespace",
    "--wait",
    "--timeout",
    `${CLUSTER_PATIENCE_S}s`,
    // The example models are served over plain http as well as https.
    "--set",
    "models.allowHttp=true",
    ...settings.flatMap((setting) => ["--set", setting]),
  ]);
