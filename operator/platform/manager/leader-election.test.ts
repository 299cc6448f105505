import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import pino from "pino";
import { createClient } from "../kube/create-client.ts";
import type { Lease } from "../kube/objects.ts";
import { LEASES } from "../kube/resources.ts";
import { createTransport } from "../kube/transport.ts";
import { ELECTION_TIMES } from "./election.ts";
import { createLeaderElection, type LeaderElection } from "./leader-election.ts";

const key = { namespace: "berth", name: "leader" };
const log = pino({ level: "silent" });
const { signal } = new AbortController();
/** A lease that was taken stays fresh for this long: longer than any test, or for no time at all. */
const [LONG, NO_TIME] = [60_000, 0];

/** An API server of one Lease. `failing`: so many requests of it are answered with an error first. */
const leaseServer = (holder: string | undefined, failing: number) => {
  const asked: string[] = [];
  let left = failing;
  let version = 0;
  let lease: Lease | undefined;
  const hold = (holderIdentity: string): Lease => {
    version++;
    const spec = { holderIdentity, leaseDurationSeconds: 15, leaseTransitions: 3 };
    const { apiVersion, kind } = LEASES;
    lease = { apiVersion, kind, metadata: { ...key, resourceVersion: `${version}` }, spec };
    return lease;
  };
  if (holder !== undefined) hold(holder);
  const answer = (method: string, body: string): { status: number; value: unknown } => {
    asked.push(method);
    if (left-- > 0) return { status: 503, value: {} };
    if (method === "GET") return lease === undefined ? { status: 404, value: {} } : { status: 200, value: lease };
    const sent: Lease = JSON.parse(body);
    const isOutdated = lease !== undefined && sent.metadata.resourceVersion !== lease.metadata.resourceVersion;
    return isOutdated ? { status: 409, value: {} } : { status: 200, value: hold(sent.spec?.holderIdentity ?? "") };
  };
  return { asked, hold, answer, holder: () => lease?.spec?.holderIdentity };
};

const withLease = async (
  options: { holder?: string; freshMs: number; failing?: number },
  use: (election: LeaderElection, lease: ReturnType<typeof leaseServer>) => Promise<void>,
): Promise<void> => {
  const lease = leaseServer(options.holder, options.failing ?? 0);
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { status, value } = lease.answer(request.method ?? "", body);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const credentials = { server: `http://127.0.0.1:${address.port}`, headers: {}, tls: {}, fingerprint: "1" };
  const transport = createTransport(() => Promise.resolve(credentials));
  const times = { ...ELECTION_TIMES, retryMs: options.freshMs };
  const client = createClient(transport);
  const election = createLeaderElection({
    ...{ client, ...key, identity: "me", times, annotations: {}, clock: Date.now, log },
  });
  try {
    await use(election, lease);
  } finally {
    await transport.close();
    server.close();
  }
};

test("a lease that is ours already is taken ahead, and asked for no second time while it is fresh", () =>
  withLease({ holder: "me", freshMs: LONG }, async (election, { asked }) => {
    await election.prepare(signal);
    assert.deepEqual([asked, election.isLeader()], [["GET", "PATCH"], true]);
    assert.equal(await election.acquire(signal), true);
    assert.deepEqual(asked, ["GET", "PATCH"]);
  }));

test("one that was taken ahead longer ago than a leader leaves it is renewed before work begins", () =>
  withLease({ holder: "me", freshMs: NO_TIME }, async (election, { asked }) => {
    await election.prepare(signal);
    assert.equal(await election.acquire(signal), true);
    assert.deepEqual(asked, ["GET", "PATCH", "GET", "PATCH"]);
  }));

test("one that was taken ahead, and that another has taken since, is waited for", () =>
  withLease({ holder: "me", freshMs: NO_TIME }, async (election, { asked, hold, holder }) => {
    await election.prepare(signal);
    hold("other");
    const waiting = new AbortController();
    const acquired = election.acquire(waiting.signal);
    while (asked.length < 5) await new Promise((resolve) => setImmediate(resolve));
    waiting.abort();
    assert.equal(await acquired, false);
    assert.deepEqual([new Set(asked.slice(2)), holder()], [new Set(["GET"]), "other"]);
  }));

for (const holder of ["other", "", undefined])
  test(`a process that cannot work yet leaves a lease of ${JSON.stringify(holder)} to others`, () =>
    withLease(
      { ...(holder === undefined ? {} : { holder }), freshMs: LONG },
      async (election, { asked, holder: held }) => {
        await election.prepare(signal);
        assert.deepEqual([asked, election.isLeader(), held()], [["GET"], false, holder]);
      },
    ));

test("a look ahead that fails is no failure: the lease is asked for again", () =>
  withLease({ holder: "me", freshMs: LONG, failing: 1 }, async (election, { asked }) => {
    await election.prepare(signal);
    assert.equal(election.isLeader(), false);
    assert.equal(await election.acquire(signal), true);
    assert.deepEqual(asked, ["GET", "GET", "PATCH"]);
  }));
