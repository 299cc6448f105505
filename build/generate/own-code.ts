import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Generated } from "./generated.ts";

const root = join(import.meta.dirname, "../..");

/** Code of our own where a library serves. */
type Part = {
  name: string;
  /** The page that says why, by its number and file. */
  decision: readonly [number: number, file: string];
  /** Files and folders, tests beside them included. */
  code: readonly string[];
  library: string;
  /** What the library would cost, with the figure's command; or that nobody has measured it since. */
  cost: string;
  /** Tests that hold ours to the standard: files, or commands as code. */
  held: readonly (readonly [what: string, where: string])[];
};

const PARTS: readonly Part[] = [
  {
    name: "HTTP/1.1: reading requests, serving connections",
    decision: [6, "0006-our-own-http-parser.md"],
    code: ["runtime/transport/http"],
    library: "`node:http`",
    cost: "`npm run bench -- libraries http`. When it was decided: 1.4 times the CPU of a small request behind the same interface. What no library gives: bodies in one piece, bounds before anything is held, a drain without a failed request",
    held: [
      ["the same meaning or refusal as llhttp, on made-up bytes", "runtime/transport/http/differential.test.ts"],
      ["cases of RFC 9112, any split of the bytes, random damage", "runtime/transport/http/reader.test.ts"],
      ["hostile clients of a whole server", "test/faults/server/http.test.ts"],
    ],
  },
  {
    name: "HTTP/1.1: requests to pods",
    decision: [16, "0016-our-own-router.md"],
    code: [
      "runtime/router/upstream/http1-answer.ts",
      "runtime/router/upstream/http1-connection.ts",
      "runtime/router/upstream/http1-pool.ts",
      "runtime/router/upstream/http1-request.ts",
      "runtime/router/upstream/http1-state.ts",
      "runtime/router/upstream/response-head.ts",
    ],
    library: "undici",
    cost: "`npm run bench -- router`, whose last row is `node:http` and undici: 1.4 times the CPU of a small request, 3.3 times at 600 KB ([benchmarks](../benchmarks.md#the-router))",
    held: [
      ["pods that answer by halves, late, twice or not", "test/faults/router/pods.test.ts"],
      ["stale connections, and what may be sent again", "runtime/router/upstream/http1-pool.test.ts"],
    ],
  },
  {
    name: "HTTP/2: frames, HPACK, flow control",
    decision: [12, "0012-our-own-http2.md"],
    code: ["runtime/transport/http2"],
    library: "`node:http2` (nghttp2), under grpc-js",
    cost: "`npm run bench -- libraries grpc`. When it was decided: 2.5 to 3 times the CPU of a call on grpc-js",
    held: [
      ["h2spec's 145 cases, server and router", "test/conformance/http2.ts"],
      ["the same requests as nghttp2, on made-up frames", "runtime/transport/http2/differential.test.ts"],
      ["HPACK: the examples of RFC 7541", "runtime/transport/http2/hpack.test.ts"],
      ["resets, pings, settings and headers without an end", "test/faults/server/flood.test.ts"],
      ["made-up answers of pods, split at any byte", "runtime/transport/http2/client-splits.test.ts"],
      ["nghttp2 and our own server as pods", "runtime/router/upstream/grpc-peers.test.ts"],
    ],
  },
  {
    name: "gRPC: calls, deadlines, statuses, health",
    decision: [12, "0012-our-own-http2.md"],
    code: ["runtime/transport/grpc"],
    library: "grpc-js, which is there for reflection alone",
    cost: "with HTTP/2, above",
    held: [
      ["the gRPC clients of Python", "test/conformance/clients.ts"],
      ["grpc-js as the client", "runtime/transport/grpc/server.test.ts"],
      ["damaged messages, deadlines, cancels", "test/faults/server/grpc.test.ts"],
    ],
  },
  {
    name: "gRPC messages with tensors",
    decision: [8, "0008-our-own-grpc-codecs.md"],
    code: [
      ...["check", "contents", "request", "response", "wire"].map(
        (name) => `runtime/protocols/open-inference/grpc/${name}.ts`,
      ),
      ...["example-proto", "grpc", "tensor-proto", "wire"].map(
        (name) => `runtime/protocols/tensorflow-serving/${name}.ts`,
      ),
    ],
    library: "protobufjs, which `@grpc/proto-loader` brings",
    cost: "`npm run bench -- libraries codecs`. Each tensor would be copied once more, typed contents by way of an array of numbers",
    held: [
      ["what protobufjs makes of the `.proto` file", "runtime/protocols/open-inference/grpc/request.test.ts"],
      ["the same for TensorFlow Serving", "runtime/protocols/tensorflow-serving/grpc.test.ts"],
      ["mutated messages", "test/faults/server/fuzz.test.ts"],
    ],
  },
  {
    name: "JSON: tensors",
    decision: [7, "0007-json-tensors-from-bytes.md"],
    code: ["runtime/protocols/json"],
    library: "`JSON.parse` and `JSON.stringify`",
    cost: "`npm run bench -- libraries json`. When it was decided: 2.3 to 2.8 times the time for floats. `JSON.parse` has no NaN, no exact 64-bit integers and no names for elements",
    held: [
      ["`JSON.parse` on random documents", "runtime/protocols/json/json.test.ts"],
      ["`JSON.stringify` on large answers", "runtime/protocols/json/write-large.test.ts"],
      ["schemathesis on the OpenAPI document", "test/conformance/openapi.ts"],
    ],
  },
  {
    name: "Kubernetes: transport, client, list and watch, caches",
    decision: [4, "0004-our-own-engine.md"],
    code: ["operator/platform/kube", "operator/platform/cache"],
    library: "client-node's client and informer",
    cost: "not speed first: its informer ends at the first error other than 410, has no bookmarks, no pages, no synced gate and no index. `npm run bench -- operator` has what ours takes",
    held: [
      ["pages, expiry, bookmarks and back-off, as a pure state machine", "operator/platform/cache/list-watch.test.ts"],
      ["a real API server: 410, restarts, bookmarks", "test/engine/cache.test.ts"],
      ["an API server that kills, delays, drops and lies", "test/faults/operator/main.ts"],
    ],
  },
  {
    name: "Kubernetes: work queue and controller",
    decision: [4, "0004-our-own-engine.md"],
    code: ["operator/platform/controller"],
    library: "none in npm that is kept up; client-go's is the model",
    cost: "there is nothing to measure against",
    held: [
      ["each promise of client-go's queue", "operator/platform/controller/work-queue.test.ts"],
      ["the operator killed around each write", "test/faults/operator/kills.ts"],
    ],
  },
  {
    name: "Kubernetes: leader election and fence",
    decision: [4, "0004-our-own-engine.md"],
    code: [
      ...["election", "leader-election"].map((name) => `operator/platform/manager/${name}.ts`),
      "operator/platform/kube/fence.ts",
      "operator/platform/kube/server-clock.ts",
    ],
    library: "none in client-node",
    cost: "there is nothing to measure against",
    held: [
      ["who may lead, as a pure function of lease and clock", "operator/platform/manager/election.test.ts"],
      ["two leaders whose clocks are off, paused with writes on the way", "test/faults/operator/succession.ts"],
    ],
  },
];

const linesOf = (files: readonly string[]): number =>
  files.reduce((sum, file) => sum + readFileSync(join(root, file), "utf8").split("\n").length - 1, 0);

/** To hundreds, so that the page stands still while code is worked on. */
const about = (lines: number): string => (Math.max(1, Math.round(lines / 100)) * 100).toLocaleString("en");

const isTest = (file: string): boolean => file.endsWith(".test.ts");

const row = ({ code, cost, decision: [number, page], held, library, name }: Part, files: readonly string[]): string => {
  const ours = code.flatMap((path) => {
    const below = files.filter(
      (file) => file === path || file.startsWith(`${path}/`) || file === path.replace(/\.ts$/, ".test.ts"),
    );
    if (below.length === 0) throw new Error(`build/generate/own-code.ts: there is no ${path}`);
    return below;
  });
  const tests = held.map(([what, where]) => {
    if (!existsSync(join(root, where))) throw new Error(`build/generate/own-code.ts: there is no ${where}`);
    return `[${what}](../../${where})`;
  });
  const lines = `${about(linesOf(ours.filter((file) => !isTest(file))))} + ${about(linesOf(ours.filter(isTest)))}`;
  return `| ${name} ([${number}](${page})) | ${lines} | ${library} | ${cost} | ${tests.join("; ")} |`;
};

export const ownCode = (): Generated[] => {
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "--", "*.ts"], {
    cwd: root,
    encoding: "utf8",
  })
    .split("\n")
    .filter((file) => file !== "" && existsSync(join(root, file)));
  const text = `<!-- Generated by \`npm run generate\` from build/generate/own-code.ts and the sources. Do not edit. -->
# Own code where a library serves

Each of these has a page that says why. Where the reason is gone, the library comes back. Lines are of today, to hundreds: code + the tests beside it.

| part | lines | library | what that would cost | held to the standard by |
| --- | --- | --- | --- | --- |
${PARTS.map((part) => row(part, files)).join("\n")}
`;
  return [{ path: "docs/decisions/own-code.md", text }];
};
