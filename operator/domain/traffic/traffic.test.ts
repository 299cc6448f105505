import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isAcknowledged } from "./acknowledged.ts";
import { FIRST_PORT, type Neighbour, PORTS, portFor } from "./port.ts";
import { nextTraffic, type Routes } from "./table.ts";

const routes = (revision: string, weight = 100): Routes => [{ revision, role: "stable", weight }];

describe("the table", () => {
  it("keeps its epoch while nothing changes, and gets a greater one with each change", () => {
    const first = nextTraffic(undefined, 20_000, routes("a"), 5_000_000);
    assert.deepEqual(first, { epoch: 5000, port: 20_000, routes: routes("a") });
    assert.equal(nextTraffic(first, 20_000, routes("a"), 9_000_000), first);
    const second = nextTraffic(first, 20_000, routes("b"), 5_000_100);
    assert.equal(second.epoch, 5001);
    assert.equal(nextTraffic(second, 20_001, routes("b"), 5_000_200).epoch, 5002);
  });

  it("overtakes a later one that routers follow, though nothing changes", () => {
    const put = { epoch: 5, port: 20_000, routes: routes("a") };
    assert.deepEqual(nextTraffic(put, 20_000, routes("a"), 5_000_000, 7000), { ...put, epoch: 7001 });
    assert.equal(nextTraffic(put, 20_000, routes("a"), 5_000_000, 5), put);
  });
});

describe("the ports of a namespace", () => {
  it("are kept; of two that are the same the older one stays", () => {
    const own = { uid: "b", createdAt: "2026-01-02", port: 20_005 };
    const other = (uid: string, createdAt: string, port = 20_005): Neighbour => ({ uid, createdAt, port });
    assert.equal(portFor(own, [other("a", "2026-01-01", 20_006)]), 20_005);
    assert.equal(portFor(own, [other("c", "2026-01-03")]), 20_005);
    assert.notEqual(portFor(own, [other("c", "2026-01-01")]), 20_005);
    assert.notEqual(portFor(own, [other("a", "2026-01-02")]), 20_005);
  });

  it("come to differ, whatever they were", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ port: fc.integer({ min: FIRST_PORT, max: FIRST_PORT + 3 }), day: fc.nat(3) }), {
          maxLength: 12,
        }),
        (given) => {
          let all = given.map(({ day, port }, i) => ({ uid: `uid-${i}`, createdAt: `2026-01-0${day + 1}`, port }));
          for (let pass = 0; pass < all.length; pass++)
            for (const one of all) {
              const others = all.filter((other) => other !== one);
              const port = portFor(one, others);
              all = all.map((each) => (each === one ? { ...one, port } : each));
            }
          const ports = all.map(({ port }) => port);
          assert.equal(new Set(ports).size, ports.length);
          assert.ok(ports.every((port) => port >= FIRST_PORT && port < FIRST_PORT + PORTS));
        },
      ),
    );
  });
});

describe("an acknowledgement", () => {
  const traffic = { epoch: 7, port: 20_000, routes: routes("a") };
  const says = (epoch: number, port = 20_000) => ({ epoch, port });

  it("is that of all routers, and of two at least", () => {
    assert.equal(isAcknowledged([says(7), says(8)], traffic), true);
    assert.equal(isAcknowledged([says(7)], traffic), false);
    assert.equal(isAcknowledged([says(7), says(6)], traffic), false);
    assert.equal(isAcknowledged([says(7), says(7), undefined], traffic), false);
    assert.equal(isAcknowledged([says(7), says(7, 20_001)], traffic), false);
  });

  it("is none of who follows a table that somebody has made up", () => {
    assert.equal(isAcknowledged([says(7), says(2 ** 52)], traffic), false);
  });
});
