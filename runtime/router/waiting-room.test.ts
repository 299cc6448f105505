import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { handClock } from "../../test/world/hand-clock.ts";
import type { Limits } from "./hold.ts";
import { createWaitingRoom, type Lane, type Ticket } from "./waiting-room.ts";

const start = (limits: Partial<Limits> = {}) => {
  const clock = handClock();
  const settings = { maxRequests: 3, maxBytes: 100, maxWaitMs: 1000, ...limits };
  const room = createWaitingRoom(() => settings, clock.now, clock.after);
  const log: string[] = [];
  const enter = (
    name: string,
    { bytes = 0, lane = "http" as Lane, place = undefined as Ticket["place"] | undefined } = {},
  ) =>
    room.enter({ lane, bytes, go: () => log.push(`${name} goes`), expire: () => log.push(`${name} expires`) }, place);
  return { clock, room, log, enter, settings };
};
const any = (): boolean => true;

describe("the waiting room", () => {
  it("turns away what is too much or too large, but nobody who comes back", () => {
    const { enter, room } = start();
    const first = enter("a", { bytes: 60 });
    assert.equal(enter("b", { bytes: 41 }), "bytes");
    enter("c", { bytes: 40 });
    enter("d");
    assert.equal(enter("e"), "requests");
    assert.ok(typeof first !== "string");
    room.release(any);
    for (const name of ["f", "g", "h"]) enter(name);
    assert.ok(typeof enter("a", { bytes: 60, place: first.place }) !== "string");
    assert.equal(room.size(), 4);
  });

  it("lets the oldest go first, whichever lane it is in, and skips lanes that may not", () => {
    const { clock, enter, log, room } = start({ maxRequests: 10 });
    enter("grpc", { lane: "grpc" });
    clock.pass(1);
    enter("http");
    clock.pass(1);
    enter("later", { lane: "grpc-pinned" });
    let places = 1;
    room.release((lane) => lane !== "grpc" && places-- > 0);
    assert.deepEqual(log, ["http goes"]);
    room.release(any);
    assert.deepEqual(log, ["http goes", "grpc goes", "later goes"]);
  });

  it("has the place of one who comes back kept before all who came later", () => {
    const { clock, enter, log, room } = start();
    const first = enter("first");
    assert.ok(typeof first !== "string");
    clock.pass(5);
    enter("second");
    let places = 1;
    room.release(() => places-- > 0);
    enter("first", { place: first.place });
    places = 1;
    room.release(() => places-- > 0);
    assert.deepEqual(log, ["first goes", "first goes"]);
  });

  it("does not ask one for ever who comes back at once, and goes on with the other lanes", () => {
    const { enter, log, room, clock } = start();
    let goes = 0;
    const back = (place?: Ticket["place"]): void => {
      const ticket = room.enter(
        {
          lane: "grpc",
          bytes: 0,
          go: () => ++goes < 1000 && typeof ticket !== "string" && back(ticket.place),
          expire: () => undefined,
        },
        place,
      );
    };
    back();
    clock.pass(1);
    enter("other");
    room.release(any);
    assert.deepEqual([goes, log], [1, ["other goes"]]);
  });

  it("lets each wait for as long as it may and no longer, also where that has become shorter", () => {
    const { clock, enter, log, settings } = start();
    enter("a");
    clock.pass(600);
    enter("b");
    clock.pass(399);
    assert.deepEqual(log, []);
    clock.pass(2);
    assert.deepEqual(log, ["a expires"]);
    settings.maxWaitMs = 700;
    enter("c");
    clock.pass(301);
    assert.deepEqual(log, ["a expires", "b expires"]);
    clock.pass(1000);
    assert.deepEqual(log, ["a expires", "b expires", "c expires"]);
    assert.equal(clock.set(), 0);
  });
});
