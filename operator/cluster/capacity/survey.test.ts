import assert from "node:assert/strict";
import { createServer } from "node:http";
import { describe, it } from "node:test";
import { ONE } from "../../domain/placement/request.ts";
import { createClient } from "../../platform/kube/create-client.ts";
import { createTransport } from "../../platform/kube/transport.ts";
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
      list([]),
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
          ["/apis/resource.k8s.io/v1/deviceclasses", null],
          ["/api/v1/pods", null],
          ["/api/v1/pods", "2"],
          ["/api/v1/pods", null],
          ["/apis/scheduling.k8s.io/v1/priorityclasses", null],
        ],
      );
      await transport.close();
    });
  });

  describe("of devices that claims may have", () => {
    const device = (name: string, more = {}) => ({ name, ...more });
    const slice = (where: object, ...devices: object[]) => ({
      metadata: { name: "s" },
      spec: { driver: "gpu.example.com", pool: { name: "p", generation: 1, resourceSliceCount: 1 }, devices, ...where },
    });
    const claim = (...results: object[]) => ({
      metadata: { name: "c" },
      status: { allocation: { devices: { results } } },
    });
    const held = (device: string, more = {}) => ({
      request: "r",
      driver: "gpu.example.com",
      pool: "p",
      device,
      ...more,
    });
    const refused = (status: number) => ({ status, body: { kind: "Status", reason: "No", message: "no" } });
    const classes = list([{ metadata: { name: "gpu" }, spec: { extendedResourceName: "nvidia.com/gpu" } }]);
    const rest = [list([]), list([]), list([])];
    const devices = async (...answers: Answer[]) => {
      let found: unknown;
      await withServer([list([node("a"), node("b")]), ...answers, ...rest], async (url) => {
        const transport = createTransport(at(url));
        const surveyed = await createSurvey(createClient(transport), assert.ifError)(0);
        found = surveyed?.rooms.map(({ devices }) => [devices?.offered && [...devices.offered], devices?.unclaimed]);
        await transport.close();
      });
      return found;
    };
    const names = ["deviceclass.resource.kubernetes.io/gpu", "nvidia.com/gpu"];

    it("counts those on each node that no claim has for itself", async () => {
      const two = slice({ nodeName: "a" }, device("0"), device("1"), device("2"));
      const claims = list([claim(held("0"), held("1", { adminAccess: true })), { metadata: { name: "pending" } }]);
      assert.deepEqual(await devices(classes, claims, list([two])), [
        [names, 2],
        [names, 0],
      ]);
    });

    it("counts none where one may be given to several, or is not on one node", async () => {
      const shared = slice({ nodeName: "a" }, device("0", { allowMultipleAllocations: true }));
      assert.deepEqual(await devices(classes, list([claim(held("0"))]), list([shared])), [
        [names, Number.POSITIVE_INFINITY],
        [names, 0],
      ]);
      const unknown = [names, undefined];
      assert.deepEqual(await devices(classes, list([]), list([slice({ allNodes: true }, device("0"))])), [
        unknown,
        unknown,
      ]);
    });

    it("knows what it may not look at, and what the API server has not, for what it is", async () => {
      const [unknown, none] = [
        [undefined, undefined],
        [[], undefined],
      ];
      assert.deepEqual(await devices(refused(403)), [unknown, unknown]);
      assert.deepEqual(await devices(refused(404)), [none, none]);
      assert.deepEqual(await devices(classes, refused(403)), [
        [names, undefined],
        [names, undefined],
      ]);
      assert.deepEqual(await devices(list([])), [
        [[], 0],
        [[], 0],
      ]);
    });
  });

  it("knows nothing where it may not look, says why, and looks again later", async () => {
    const forbidden = { status: 403, body: { kind: "Status", reason: "Forbidden", message: "nodes is forbidden" } };
    await withServer([forbidden, forbidden, list([node("a")]), list([]), list([]), list([]), list([])], async (url) => {
      const transport = createTransport(at(url));
      const failures: unknown[] = [];
      const survey = createSurvey(createClient(transport), (error) => failures.push(error));
      assert.equal(await survey(0), undefined);
      assert.equal(await survey(5_000), undefined);
      assert.equal(await survey(10_000), undefined);
      assert.equal(failures.length, 1, "the same is not said again");
      assert.match(String(failures), /nodes is forbidden/);
      assert.equal((await survey(20_000))?.rooms.length, 1);
      await transport.close();
    });
  });
});
