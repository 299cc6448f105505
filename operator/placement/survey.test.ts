import assert from "node:assert/strict";
import { createServer } from "node:http";
import { describe, it } from "node:test";
import { createClient } from "../kube/create-client.ts";
import { createTransport } from "../kube/transport.ts";
import { ONE } from "./request.ts";
import { createSurvey } from "./survey.ts";

type Answer = { status: number; body: object };

/** What the API server is asked, and answers in turn. */
const withServer = async (answers: Answer[], use: (url: string, asked: URL[]) => Promise<void>): Promise<void> => {
  const asked: URL[] = [];
  const server = createServer((request, response) => {
    asked.push(new URL(request.url ?? "", "http://localhost"));
    const { body, status } = answers.shift() ?? { status: 500, body: {} };
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  try {
    await use(`http://127.0.0.1:${address.port}`, asked);
  } finally {
    server.close();
    server.closeAllConnections();
  }
};

const list = (items: object[], next?: string): Answer => ({
  status: 200,
  body: { metadata: { resourceVersion: "1", ...(next === undefined ? {} : { continue: next }) }, items },
});
const node = (name: string) => ({ metadata: { name }, status: { allocatable: { "nvidia.com/gpu": "4" } } });
const pod = (name: string, nodeName?: string) => ({
  metadata: { name, namespace: "elsewhere" },
  spec: {
    ...(nodeName === undefined ? {} : { nodeName }),
    containers: [{ name: "c", resources: { requests: { "nvidia.com/gpu": "1" } } }],
  },
});

describe("the survey", () => {
  const at = (server: string) => () => Promise.resolve({ server, headers: {}, tls: {}, fingerprint: "1" });

  it("adds up what is on each node, page by page, and asks once in ten seconds", async () => {
    const ours = pod("y", "a");
    Object.assign(ours.metadata, { labels: { "berth.dev/revision": "digits-1" } });
    const answers = [
      list([node("a")], "2"),
      list([node("b")]),
      list([pod("x", "a")], "2"),
      list([ours]),
      list([pod("z")]),
      list([
        { metadata: { name: "urgent" }, value: 9 },
        { metadata: { name: "usual" }, value: 1, globalDefault: true },
      ]),
    ];
    await withServer(answers, async (url, asked) => {
      const transport = createTransport(at(url));
      const survey = createSurvey(createClient(transport), assert.ifError);
      const [first, second] = await Promise.all([survey(0), survey(9_999)]);
      assert.deepEqual(
        first?.rooms.map((room) => [room.node, room.free.get("nvidia.com/gpu")]),
        [
          ["a", 2n * ONE],
          ["b", 4n * ONE],
        ],
      );
      assert.deepEqual(
        first?.waiting.map(({ name, namespace }) => [namespace, name]),
        [["elsewhere", "z"]],
      );
      assert.deepEqual(Object.fromEntries(first?.placed ?? []), { "elsewhere/digits-1": 1 });
      assert.deepEqual(Object.fromEntries(first?.priorities ?? []), { urgent: 9, usual: 1, "": 1 });
      assert.equal(second, first);
      assert.deepEqual(
        asked.map(({ pathname, searchParams }) => [pathname, searchParams.get("continue")]),
        [
          ["/api/v1/nodes", null],
          ["/api/v1/nodes", "2"],
          ["/api/v1/pods", null],
          ["/api/v1/pods", "2"],
          ["/api/v1/pods", null],
          ["/apis/scheduling.k8s.io/v1/priorityclasses", null],
        ],
      );
      await transport.close();
    });
  });

  it("knows nothing where it may not look, says why, and looks again later", async () => {
    const forbidden = { status: 403, body: { kind: "Status", reason: "Forbidden", message: "nodes is forbidden" } };
    await withServer([forbidden, list([node("a")]), list([]), list([]), list([])], async (url) => {
      const transport = createTransport(at(url));
      const failures: unknown[] = [];
      const survey = createSurvey(createClient(transport), (error) => failures.push(error));
      assert.equal(await survey(0), undefined);
      assert.equal(await survey(5_000), undefined);
      assert.match(String(failures), /nodes is forbidden/);
      assert.equal((await survey(10_000))?.rooms.length, 1);
      await transport.close();
    });
  });
});
