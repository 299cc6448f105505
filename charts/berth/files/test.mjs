// `helm test`: does the API server know ModelDeployment, take a good one and refuse a bad one? Nothing is stored (dry run).
import { readFileSync } from "node:fs";

const [namespace] = process.argv.slice(1);
const token = readFileSync("/var/run/secrets/kubernetes.io/serviceaccount/token", "utf8");
const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
const address = host.includes(":") ? "[" + host + "]" : host;
const url = "https://" + address + ":" + port + "/apis/berth.dev/v1alpha1/namespaces/" + namespace + "/modeldeployments?dryRun=All";

const create = async (uri) => {
  const response = await fetch(url, {
    method: "POST",
    headers: { authorization: "Bearer " + token, "content-type": "application/json" },
    body: JSON.stringify({
      apiVersion: "berth.dev/v1alpha1",
      kind: "ModelDeployment",
      metadata: { name: "berth-chart-test" },
      spec: { model: { uri } },
    }),
    signal: AbortSignal.timeout(10_000),
  });
  const body = await response.json();
  return { status: response.status, message: body.message ?? "" };
};

const expect = async (what, uri, status) => {
  const answer = await create(uri);
  const passed = answer.status === status;
  console.log((passed ? "ok" : "FAILED") + ": " + what + ": HTTP " + answer.status + " " + answer.message);
  if (!passed) process.exitCode = 1;
};

await expect("a valid ModelDeployment is accepted", "https://models.example.com/digits.onnx", 201);
await expect("an invalid one is refused, naming the field", "gopher://models.example.com/digits.onnx", 422);
