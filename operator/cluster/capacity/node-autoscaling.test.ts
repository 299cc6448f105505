import assert from "node:assert/strict";
import { createServer } from "node:http";
import { describe, it } from "node:test";
import { until } from "../../../test/world/patience.ts";
import { createClient } from "../../platform/kube/create-client.ts";
import { createTransport } from "../../platform/kube/transport.ts";
import { createNodeAutoscaling, type NodeAutoscaling } from "./node-autoscaling.ts";

/** An API server that has these paths. Something is found there, or else nothing is within some time. */
const looked = async (
  paths: Record<string, object>,
  option: NodeAutoscaling,
  isFound = false,
): Promise<[boolean, string | undefined]> => {
  const server = createServer((request, response) => {
    const found = paths[new URL(request.url ?? "", "http://localhost").pathname];
    response.writeHead(found === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(found ?? { kind: "Status", reason: "NotFound", message: "not found" }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const url = `http://127.0.0.1:${address.port}`;
  const transport = createTransport(() => Promise.resolve({ server: url, headers: {}, tls: {}, fingerprint: "1" }));
  try {
    let what: string | undefined;
    const nodesCome = createNodeAutoscaling(
      option,
      createClient(transport),
      () => 0,
      (found) => {
        what = found;
      },
    );
    nodesCome();
    if (isFound) await until("something that is found", () => what !== undefined);
    else await new Promise((resolve) => setTimeout(resolve, 200));
    return [nodesCome(), what];
  } finally {
    await transport.close();
    server.close();
    server.closeAllConnections();
  }
};

const POOLS = "/apis/karpenter.sh/v1/nodepools";
const pool = { metadata: { resourceVersion: "1" }, items: [{ metadata: { name: "gpus" } }] };

describe("whether nodes come where pods wait for them", () => {
  it("is found out: by a NodePool of Karpenter, or by what the cluster-autoscaler writes", async () => {
    assert.deepEqual(await looked({ [POOLS]: pool }, "auto", true), [true, "Karpenter"]);
    const status = {
      "/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status": { metadata: { name: "x" } },
    };
    assert.deepEqual(await looked(status, "auto", true), [true, "cluster-autoscaler"]);
    assert.deepEqual(await looked({ [POOLS]: { ...pool, items: [] } }, "auto"), [false, undefined]);
  });

  it("is what the option says, whatever there is", async () => {
    assert.deepEqual(await looked({ [POOLS]: pool }, "false"), [false, undefined]);
    assert.deepEqual(await looked({}, "true"), [true, undefined]);
  });
});
