/** `npm run test:conformance`: real clients, and ONNX's own test vectors, against the real server. */
import { parseArguments } from "../../build/parse-arguments.ts";
import { CLIENTS, runClient, serveModels } from "./clients.ts";
import { runH2spec } from "./http2.ts";
import { runKstatus } from "./kstatus/run.ts";
import { runKubeconform } from "./kubeconform/run.ts";
import { runSchemathesis } from "./openapi.ts";
import { ensurePython } from "./python.ts";
import { type CheckResult, describeCheck, table } from "./results.ts";
import { describeVectors, runVectors } from "./vectors/run.ts";

const SUITES = [...CLIENTS, "openapi", "http2", "kstatus", "kubeconform", "vectors"] as const;
const DEFAULT_SAMPLE = 60;

const HELP = `npm run test:conformance -- [options] [NAME…]

Real clients against the real server, on loopback; and what others read off the operator's objects. Each check is a line, and the end is a table; the exit code is 1 where
a check failed.

  triton-http         tritonclient over HTTP: JSON, binary, compression, async, metadata, statistics, errors
  triton-grpc         tritonclient over gRPC: the same, and streams
  tensorflow-serving  the TensorFlow Serving API's stubs over gRPC, and its REST API
  reflection-health   gRPC reflection, a call by what it tells alone, grpc.health.v1
  openapi             schemathesis on /openapi.json
  http2               h2spec on the HTTP/2 that gRPC is served with, and on the router
  kstatus             what kstatus (Flux) and Argo CD make of a ModelDeployment in each of its states
  kubeconform         the published JSON schemas: every manifest of ours passes, each misspelt field is found
  vectors             the ONNX project's test vectors, each model in a server of its own, beside onnxruntime itself

  NAME           only these suites (--suite NAME is the same)
  --sample N     so many of the 1,072 vectors, or "all" (20 minutes on two cores); default ${DEFAULT_SAMPLE}
  --seed N       decides which vectors and which requests (default: another each day; it is printed)
  --only TEXT    only vectors with this in their name, all of them
  --help

What it installs, outside the checkout in XDG_CACHE_HOME (default ~/.cache)/berth/conformance, once: the clients from PyPI
in an environment of Python 3.11 or newer (60 MB to download), h2spec, kstatus and kubeconform (built with Go), and Debian's package libonnx-testdata (6 MB).`;

const usage = (message: string): never => {
  console.error(`${message}; see npm run test:conformance -- --help`);
  process.exit(2);
};

const wholeNumber = (option: string, text: string | undefined, fallback: number): number => {
  if (text === undefined) return fallback;
  return /^\d{1,9}$/.test(text) ? Number(text) : usage(`--${option}: "${text}" is not a whole number`);
};

const { values, positionals } = parseArguments("npm run test:conformance --", {
  allowPositionals: true,
  options: {
    suite: { type: "string", multiple: true },
    sample: { type: "string" },
    seed: { type: "string" },
    only: { type: "string" },
    help: { type: "boolean" },
  },
});
if (values.help === true) {
  console.log(HELP);
  process.exit(0);
}
const known = new Set<string>(SUITES);
const named = [...positionals, ...(values.suite ?? [])];
const asked = new Set<string>(named.length > 0 ? named : SUITES);
for (const suite of asked) if (!known.has(suite)) usage(`"${suite}" is none of ${SUITES.join(", ")}`);
const seed = wholeNumber("seed", values.seed, Math.floor(Date.now() / 86_400_000));
const everyVector = values.sample === "all" || values.only !== undefined;
const sample = everyVector ? "all" : wholeNumber("sample", values.sample, DEFAULT_SAMPLE);

const report = (line: string): void => console.log(`        ${line}`);
const results: CheckResult[] = [];
console.log(`seed ${seed}`);

const clients = CLIENTS.filter((client) => asked.has(client));
if (clients.length > 0 || asked.has("openapi")) {
  const python = await ensurePython(report);
  const servers = await serveModels();
  try {
    for (const client of clients) {
      results.push(...(await runClient(python, client, servers, (result) => console.log(describeCheck(result)))));
    }
    if (asked.has("openapi")) {
      report("schemathesis: half a minute for each path of the document, 10 minutes at most");
      const result = await runSchemathesis(python, servers.plain, seed);
      console.log(describeCheck(result));
      results.push(result);
    }
  } finally {
    await Promise.all(Object.values(servers).map((server) => server.stop()));
  }
}

if (asked.has("http2")) {
  const http2 = await runH2spec(report);
  for (const result of http2) console.log(describeCheck(result));
  results.push(...http2);
}

if (asked.has("kstatus")) {
  const kstatus = await runKstatus(report);
  for (const result of kstatus) console.log(describeCheck(result));
  results.push(...kstatus);
}

if (asked.has("kubeconform")) {
  const kubeconform = await runKubeconform(report);
  for (const result of kubeconform) console.log(describeCheck(result));
  results.push(...kubeconform);
}

if (asked.has("vectors")) {
  const vectors = await runVectors({ sample, seed, only: values.only }, report);
  for (const { name, outcome, detail } of vectors.results) {
    if (outcome.kind !== "unsupported") results.push({ suite: "vectors", name, ok: outcome.kind === "ok", detail });
  }
  const served = vectors.results.filter(({ outcome }) => outcome.kind === "ok").length;
  console.log(
    `vectors: ${served} of ${vectors.results.length} tried are served rightly, of ${vectors.of}; seed ${seed}`,
  );
  if (vectors.results.length === 0) usage(`--only: no vector has "${values.only}" in its name`);
  for (const line of describeVectors(vectors.results)) console.log(line);
}

if (results.length > 0) console.log("");
for (const line of table(results)) console.log(line);
const failed = results.filter(({ ok }) => !ok).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
