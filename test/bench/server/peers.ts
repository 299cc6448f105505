/** The servers that are compared: how each is installed and started with one model, which it calls "m". */
import { copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../../world/index.ts";
import { bentoJson, type Dialect, oipBinary, oipGrpc, oipJson, type Protocol, rawBytes } from "./dialects.ts";
import { ensureEnvironment, layoutOf } from "./install.ts";
import type { Model } from "./models.ts";

export type Ports = { http: number; grpc: number; admin: number };
export type Command = { program: string; args: readonly string[]; env: Readonly<Record<string, string>> };

export type Peer = {
  name: string;
  title: string;
  /** The package whose version is shown. */
  distribution?: string;
  dialects: Partial<Record<Protocol, (model: Model) => Dialect>>;
  /** Installs what is missing; resolves with what `command` needs. */
  install: (report: (line: string) => void) => Promise<string>;
  /** @param folder empty, for files of this server and model alone */
  command: (model: Model, ports: Ports, installed: string, folder: string) => Promise<Command>;
};

// Every server may use both cores: two workers with one onnxruntime thread each, as this server's shards are.
const WORKERS = 2;
const THREADS = 1;
const MAX_BATCH = 32;

const PEERS = join(import.meta.dirname, "../peers");
const environment = (model: Model, ports: Ports, installed: string): Record<string, string> => ({
  PATH: `${installed}/bin:${process.env.PATH ?? ""}`,
  HOME: process.env.HOME ?? "/",
  ORT_DISABLE_TELEMETRY: "1",
  PYTHONDONTWRITEBYTECODE: "1", // nothing may be left in the repository
  BENCH_MODEL: model.file,
  BENCH_THREADS: `${THREADS}`,
  BENCH_WORKERS: `${WORKERS}`,
  BENCH_HTTP_PORT: `${ports.http}`,
});

const python = (name: string) => (report: (line: string) => void) => ensureEnvironment(`peers/${name}`, report);

const ours: Peer = {
  name: "berth",
  title: "Berth",
  dialects: { json: oipJson, binary: oipBinary, grpc: oipGrpc },
  install: async () => "",
  command: async (model, ports) => ({
    program: process.execPath,
    args: [
      ...[join(ROOT, "runtime/main.ts"), "serve", "--model", model.file, "--name", "m", "--shards", `${WORKERS}`],
      ...["--http-port", `${ports.http}`, "--grpc-port", `${ports.grpc}`, "--admin-port", `${ports.admin}`],
    ],
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "/" },
  }),
};

const TRITON_TYPES = { FP32: "TYPE_FP32", INT64: "TYPE_INT64" } as const;

const tritonConfig = (model: Model): string => {
  const inputs = model.inputs.map(
    ({ name, datatype, shape }) =>
      `{ name: "${name}" data_type: ${TRITON_TYPES[datatype]} dims: [${shape.slice(1).join(", ")}] }`,
  );
  const outputs = model.outputs.map(
    ({ name, dims }) => `{ name: "${name}" data_type: TYPE_FP32 dims: [${dims.join(", ")}] }`,
  );
  // What measured best: one instance makes larger batches, which is what counts where a run takes microseconds.
  const [instances, threads] = model.slow ? [WORKERS, THREADS] : [1, WORKERS * THREADS];
  return `name: "m"
backend: "python"
max_batch_size: ${MAX_BATCH}
input [${inputs.join(",\n")}]
output [${outputs.join(",\n")}]
dynamic_batching { }
instance_group [{ count: ${instances} kind: KIND_CPU }]
parameters { key: "file" value: { string_value: "${model.file}" } }
parameters { key: "threads" value: { string_value: "${threads}" } }
`;
};

const triton: Peer = {
  name: "triton",
  title: "Triton",
  distribution: "nvidia-pytriton",
  dialects: { json: oipJson, binary: oipBinary, grpc: oipGrpc },
  install: python("triton"),
  command: async (model, ports, installed, folder) => {
    const { version, packages, library } = await layoutOf(installed);
    const server = join(packages, "pytriton/tritonserver");
    // The backend looks for the stub of its Python beside itself.
    const backend = join(folder, "backends/python");
    await mkdir(backend, { recursive: true });
    for (const file of ["libtriton_python.so", "triton_python_backend_utils.py"]) {
      await symlink(join(server, "backends/python", file), join(backend, file));
    }
    await symlink(
      join(server, `python_backend_stubs/${version}/triton_python_backend_stub`),
      join(backend, "triton_python_backend_stub"),
    );
    await mkdir(join(folder, "models/m/1"), { recursive: true });
    await copyFile(join(PEERS, "triton/model.py"), join(folder, "models/m/1/model.py"));
    await writeFile(join(folder, "models/m/config.pbtxt"), tritonConfig(model));
    return {
      program: join(server, "bin/tritonserver"),
      args: [
        ...["--model-repository", join(folder, "models"), "--backend-directory", join(folder, "backends")],
        ...["--http-address", "127.0.0.1", "--http-port", `${ports.http}`],
        ...["--grpc-address", "127.0.0.1", "--grpc-port", `${ports.grpc}`],
        ...["--allow-metrics", "false", "--log-info", "false"],
        // Shared memory of two servers on one machine must not have one name.
        ...["--backend-config", `python,shm-region-prefix-name=berth-bench-${ports.http}`],
      ],
      env: {
        ...environment(model, ports, installed),
        LD_LIBRARY_PATH: `${join(packages, "nvidia_pytriton.libs")}:${library}`,
        PYTHONPATH: packages,
      },
    };
  },
};

const fastapi: Peer = {
  name: "fastapi",
  title: "FastAPI",
  distribution: "fastapi",
  dialects: { json: oipJson, binary: rawBytes },
  install: python("fastapi"),
  command: async (model, ports, installed) => ({
    program: join(installed, "bin/python"),
    args: [
      ...["-m", "uvicorn", "server:app", "--app-dir", join(PEERS, "fastapi"), "--host", "127.0.0.1"],
      ...["--port", `${ports.http}`, "--workers", `${WORKERS}`, "--no-access-log", "--log-level", "warning"],
    ],
    env: environment(model, ports, installed),
  }),
};

const kserve: Peer = {
  name: "kserve",
  title: "KServe",
  distribution: "kserve",
  dialects: { json: oipJson, binary: oipBinary, grpc: oipGrpc },
  install: python("kserve"),
  command: async (model, ports, installed) => ({
    program: join(installed, "bin/python"),
    args: [
      ...[join(PEERS, "kserve/server.py"), "--http_port", `${ports.http}`, "--grpc_port", `${ports.grpc}`],
      ...["--enable_latency_logging", "false"],
    ],
    // One process: it cannot hand a session to workers.
    env: { ...environment(model, ports, installed), BENCH_THREADS: `${WORKERS * THREADS}` },
  }),
};

const mlserver: Peer = {
  name: "mlserver",
  title: "MLServer",
  distribution: "mlserver",
  dialects: { json: oipJson, grpc: oipGrpc },
  install: python("mlserver"),
  command: async (model, ports, installed, folder) => {
    await copyFile(join(PEERS, "mlserver/model.py"), join(folder, "model.py"));
    await writeFile(
      join(folder, "settings.json"),
      JSON.stringify({
        ...{ host: "127.0.0.1", http_port: ports.http, grpc_port: ports.grpc, metrics_port: ports.admin },
        ...{ debug: false, parallel_workers: WORKERS, gzip_enabled: false, metrics_dir: folder },
      }),
    );
    await writeFile(
      join(folder, "model-settings.json"),
      JSON.stringify({
        ...{ name: "m", implementation: "model.Onnx", max_batch_size: MAX_BATCH, max_batch_time: 0.001 },
        parameters: { uri: model.file, extra: { threads: THREADS } },
      }),
    );
    return {
      program: join(installed, "bin/mlserver"),
      args: ["start", folder],
      env: { ...environment(model, ports, installed), PYTHONPATH: folder },
    };
  },
};

const litserve: Peer = {
  name: "litserve",
  title: "LitServe",
  distribution: "litserve",
  dialects: { json: oipJson },
  install: python("litserve"),
  command: async (model, ports, installed) => ({
    program: join(installed, "bin/python"),
    args: [join(PEERS, "litserve/server.py")],
    env: environment(model, ports, installed),
  }),
};

const bentoml: Peer = {
  name: "bentoml",
  title: "BentoML",
  distribution: "bentoml",
  dialects: { json: bentoJson },
  install: python("bentoml"),
  command: async (model, ports, installed, folder) => ({
    program: join(installed, "bin/bentoml"),
    args: [
      ...["serve", "service:Onnx", "--working-dir", join(PEERS, "bentoml"), "--host", "127.0.0.1"],
      ...["--port", `${ports.http}`],
    ],
    env: { ...environment(model, ports, installed), BENTOML_HOME: folder, BENTOML_DO_NOT_TRACK: "True" },
  }),
};

export const PEER_LIST: readonly Peer[] = [ours, triton, fastapi, kserve, mlserver, litserve, bentoml];
