import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { ApiError, type ApiServer, type WatchEvent } from "./api-server.ts";
import { backoffMs, follow } from "./follow.ts";

const object = (name: string, version: number, value = "x") => ({
  metadata: { name, resourceVersion: String(version) },
  value,
});

/** An API server by script: what each list and each watch gives. The watch after the last lasts. */
const scripted = (lists: (object[] | Error)[], watches: (WatchEvent[] | Error)[]) => {
  const asked: string[] = [];
  const through = Promise.withResolvers<void>();
  const api: ApiServer = {
    list: async () => {
      asked.push("list");
      const items = lists.shift();
      if (items instanceof Error) throw items;
      return { items: items ?? [], resourceVersion: "10" };
    },
    watch: async function* (_path, { resourceVersion }, signal) {
      asked.push(`watch ${resourceVersion}`);
      const events = watches.shift();
      if (events instanceof Error) throw events;
      if (events === undefined) {
        through.resolve();
        await once(signal, "abort");
        return;
      }
      yield* events;
    },
    close: async () => undefined,
  };
  return { api, asked, through: through.promise };
};

const run = async (lists: (object[] | Error)[], watches: (WatchEvent[] | Error)[]) => {
  const { api, asked, through } = scripted(lists, watches);
  const seen: string[] = [];
  const failures: string[] = [];
  const ended = new AbortController();
  const following = follow<string>(
    {
      ...{ api, path: "/things", random: () => 1 },
      decode: (item) => {
        if (typeof item !== "object" || item === null || !("value" in item)) throw new Error("it has no value");
        return String(item.value);
      },
      onChange: (objects, changed) =>
        seen.push(`${[...objects].map(([name, value]) => `${name}=${value}`).join(" ")} (${[...changed].join(" ")})`),
      onFailure: (error) => failures.push(error instanceof Error ? error.message : String(error)),
    },
    ended.signal,
  );
  await through;
  ended.abort();
  await following;
  return { asked, seen, failures };
};

describe("following a kind", () => {
  it("lists, watches from there, and goes on from the last event when a watch ends", async () => {
    const { asked, seen } = await run(
      [[object("a", 1), object("b", 2)]],
      [
        [
          { type: "MODIFIED", object: object("a", 11, "y") },
          { type: "DELETED", object: object("b", 12) },
          { type: "BOOKMARK", object: { metadata: { resourceVersion: "15" } } },
        ],
      ],
    );
    assert.deepEqual(seen, ["a=x b=x (a b)", "a=y b=x (a)", "a=y (b)"]);
    assert.deepEqual(asked, ["list", "watch 10", "watch 15"]);
  });

  it("lists again where what came since is forgotten, and tells of what is gone", async () => {
    const { asked, seen } = await run([[object("a", 1)], [object("b", 20)]], [new ApiError("too old", 410)]);
    assert.deepEqual(asked.slice(0, 4), ["list", "watch 10", "list", "watch 10"]);
    assert.deepEqual(seen, ["a=x (a)", "b=x (a b)"]);
  });

  it("keeps what it has while the server is gone, and then goes on watching", async () => {
    const { asked, failures, seen } = await run([[object("a", 1)]], [new ApiError("no route to host", 0)]);
    assert.deepEqual(asked, ["list", "watch 10", "watch 10"]);
    assert.deepEqual([seen, failures], [["a=x (a)"], ["no route to host"]]);
  });

  it("leaves an object that it does not understand as it was, and all others untouched", async () => {
    const broken = { metadata: { name: "a", resourceVersion: "11" } };
    const { failures, seen } = await run(
      [[object("a", 1)]],
      [
        [
          { type: "MODIFIED", object: broken },
          { type: "ADDED", object: object("b", 12) },
        ],
      ],
    );
    assert.deepEqual(seen.at(-1), "a=x b=x (b)");
    assert.deepEqual(failures, ["it has no value"]);
  });

  it("waits longer with each failure, up to 15 s", () => {
    assert.deepEqual(
      [0, 1, 5, 50].map((failures) => backoffMs(failures, 0)),
      [500, 1000, 15_000, 15_000],
    );
    assert.equal(backoffMs(0, 1), 250);
  });
});
