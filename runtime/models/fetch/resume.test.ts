import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import fc from "fast-check";
import { fetchFrom, head, scriptedStore } from "../../../test/runtime/scripted-store.ts";
import { continuationOf } from "./range.ts";

const SIZE = 400_000;
const HALF = SIZE / 2;
const A = Buffer.alloc(SIZE, "A");
const B = Buffer.alloc(SIZE, "B");
const digest = (bytes: Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

type Fields = Record<string, string | number>;
const LONG_AGO = { date: "Fri, 27 Nov 2026 10:00:00 GMT", "last-modified": "Thu, 26 Nov 2026 10:00:00 GMT" };

/** `from`: the byte that the part was asked for from. */
type Second = (socket: Socket, from: number) => void;

/** The first half of A and then a cut connection; `second` answers what comes next, and a third request gets B whole. */
const cutOnce = async (t: TestContext, first: Fields, second: Second) => {
  let cut = (): void => undefined;
  const store = await scriptedStore(t, ({ fields }, socket, count) => {
    if (count === 1) {
      socket.write(head(200, { "content-length": SIZE, ...first }));
      socket.write(A.subarray(0, HALF));
      cut = () => socket.destroy();
    } else if (count === 2) second(socket, Number(/\d+/.exec(fields.get("range") ?? "0")?.[0]));
    else {
      socket.write(head(200, { "content-length": SIZE, etag: '"v2"' }));
      socket.write(B);
    }
  });
  // what has come and was not read when a connection breaks would be lost
  const observe = (written: number): void => {
    if (written === HALF) cut();
  };
  const { bytes, fetched } = await fetchFrom(`${store.url}/model`, { observe });
  assert.equal(fetched.digest, digest(bytes), "the digest is that of the bytes which are there");
  return { bytes, asked: store.asked, ranges: store.asked.map(({ fields }) => fields.get("range")) };
};

/** `range`: in the place of the one that was asked for. */
const part =
  (fields: Fields, range: (from: number) => string = (from) => `bytes ${from}-${SIZE - 1}/${SIZE}`, of = B): Second =>
  (socket, from) => {
    const bytes = of.subarray(from);
    socket.write(head(206, { "content-length": bytes.length, "content-range": range(from), ...fields }));
    socket.write(bytes);
  };

describe("a download that was cut", () => {
  it("goes on where the server proves by the same strong ETag that the bytes are the same", async (t) => {
    const { asked, bytes, ranges } = await cutOnce(t, { etag: '"v1"' }, part({ etag: '"v1"' }, undefined, A));
    assert.deepEqual(bytes, A);
    assert.deepEqual(ranges, [undefined, `bytes=${HALF}-`]);
    assert.equal(asked[1]?.fields.get("if-range"), '"v1"');
  });

  it("goes on by the same date, if that lies well before the answer", async (t) => {
    const { asked, bytes } = await cutOnce(t, LONG_AGO, part(LONG_AGO, undefined, A));
    assert.deepEqual([asked.length, bytes.equals(A)], [2, true]);
    assert.equal(asked[1]?.fields.get("if-range"), LONG_AGO["last-modified"]);
  });

  const ranged: [string, (from: number) => string][] = [
    ["another size", (from) => `bytes ${from}-${SIZE - 1}/${SIZE + 1}`],
    ["another start", (from) => `bytes ${from - 1}-${SIZE - 2}/${SIZE}`],
    ["an end before its start", (from) => `bytes ${from}-${from - 1}/${SIZE}`],
    ["an end beyond its size", (from) => `bytes ${from}-${SIZE}/${SIZE}`],
    ["a range of other bytes than it has", (from) => `bytes ${from}-${SIZE - 2}/${SIZE}`],
    ["another unit", (from) => `rows ${from}-${SIZE - 1}/${SIZE}`],
    ["no range", () => ""],
  ];
  const several = { etag: '"v1"', "content-type": "multipart/byteranges; boundary=x" };
  const glued: [string, Fields, Second][] = [
    ["another ETag", { etag: '"v1"' }, part({ etag: '"v2"' })],
    ["no ETag", { etag: '"v1"' }, part({})],
    ["no ETag but the same date", { etag: '"v1"', ...LONG_AGO }, part(LONG_AGO)],
    ["the same ETag as a weak one", { etag: '"v1"' }, part({ etag: 'W/"v1"' })],
    ["another date", LONG_AGO, part({ ...LONG_AGO, "last-modified": "Thu, 26 Nov 2026 10:00:01 GMT" })],
    ["no date", LONG_AGO, part({})],
    ["an ETag where there was a date", LONG_AGO, part({ ...LONG_AGO, etag: '"v2"' })],
    ["several ranges", { etag: '"v1"' }, part(several, () => "")],
    ...ranged.map(([what, range]): [string, Fields, Second] => [
      ...([what, { etag: '"v1"' }, part({ etag: '"v1"' }, range)] as const),
    ]),
  ];
  for (const [what, first, second] of glued)
    it(`begins again with the first byte where the answer has ${what}`, async (t) => {
      const { bytes, ranges } = await cutOnce(t, first, second);
      assert.ok(bytes.equals(B));
      assert.deepEqual(ranges, [undefined, `bytes=${HALF}-`, undefined]);
    });

  it("begins again where the server sends all of it, has less of it now, or proves nothing", async (t) => {
    const whole = await cutOnce(t, { etag: '"v1"' }, (socket) => {
      socket.write(head(200, { "content-length": SIZE, etag: '"v2"' }));
      socket.write(B);
    });
    assert.deepEqual([whole.bytes.equals(B), whole.asked.length], [true, 2]);
    const shorter = await cutOnce(t, { etag: '"v1"' }, (socket) => socket.end(head(416, { "content-length": 0 })));
    assert.deepEqual([shorter.bytes.equals(B), shorter.asked.length], [true, 3]);
    for (const first of [
      {},
      { etag: 'W/"v1"' },
      { etag: "v1" },
      { ...LONG_AGO, date: "Thu, 26 Nov 2026 10:00:30 GMT" },
    ]) {
      const unproved = await cutOnce(t, first, part({ etag: '"v1"' }));
      assert.deepEqual(unproved.ranges.slice(0, 2), [undefined, undefined], JSON.stringify(first));
      assert.ok(unproved.bytes.equals(B));
    }
  });

  it("keeps the validator of its first byte through all attempts, and gives up after five", async (t) => {
    const step = SIZE / 8;
    let cut = (): void => undefined;
    const store = await scriptedStore(t, ({ fields }, socket, count) => {
      const from = Number(/\d+/.exec(fields.get("range") ?? "0")?.[0]);
      const range = from > 0 ? { "content-range": `bytes ${from}-${SIZE - 1}/${SIZE}` } : {};
      // each answer is of another date
      const fresh = { ...LONG_AGO, date: `Fri, 27 Nov 2026 10:0${count}:00 GMT` };
      socket.write(head(from > 0 ? 206 : 200, { "content-length": SIZE - from, etag: '"v1"', ...fresh, ...range }));
      socket.write(A.subarray(from, from + step));
      cut = () => socket.destroy();
    });
    const observe = (written: number): void => {
      if (written % step === 0) cut();
    };
    const message = /tried 5 times$/;
    await assert.rejects(fetchFrom(`${store.url}/model`, { observe }), { code: "ModelUnreachable", message });
    assert.deepEqual(
      store.asked.map(({ fields }) => [fields.get("range"), fields.get("if-range")]),
      [[undefined, undefined], ...[1, 2, 3, 4].map((at) => [`bytes=${at * step}-`, '"v1"'])],
    );
  });

  it("is given up where its server has another version each time", async (t) => {
    let cut = (): void => undefined;
    const store = await scriptedStore(t, ({ fields }, socket, count) => {
      const from = Number(/\d+/.exec(fields.get("range") ?? "0")?.[0]);
      const range = from > 0 ? { "content-range": `bytes ${from}-${SIZE - 1}/${SIZE}` } : {};
      socket.write(head(from > 0 ? 206 : 200, { "content-length": SIZE - from, etag: `"v${count}"`, ...range }));
      if (from === 0) socket.write(A.subarray(0, HALF));
      else socket.write(A.subarray(from));
      cut = () => socket.destroy();
    });
    const observe = (written: number): void => {
      if (written === HALF) cut();
    };
    await assert.rejects(fetchFrom(`${store.url}/model`, { observe }), { code: "ModelUnreachable" });
    assert.equal(store.asked.length, 9, "five attempts, of which four ask for a part first");
  });

  it("is told where its bytes are not those that are pinned", async (t) => {
    const store = await scriptedStore(t, (_asked, socket) => {
      socket.write(head(200, { "content-length": SIZE }));
      socket.write(B);
    });
    const pin = digest(A).slice(7);
    await assert.rejects(fetchFrom(`${store.url}/model`, { pin }), { code: "ModelChanged", message: /have changed/ });
    assert.equal(store.asked.length, 1);
  });
});

describe("a part of a model", () => {
  it("is put behind another only where both have the same strong validator", () => {
    const etags = fc.constantFrom(undefined, '"a"', '"b"', 'W/"a"', "a", '""');
    const dates = fc.constantFrom(undefined, LONG_AGO.date, LONG_AGO["last-modified"]);
    fc.assert(
      fc.property(fc.constantFrom('"a"', LONG_AGO["last-modified"]), etags, dates, (validator, etag, modified) => {
        const header = (name: string) =>
          new Map([
            ["content-range", "bytes 5-9/10"],
            ["etag", etag],
            ["last-modified", modified],
          ]).get(name);
        const isSame = validator === '"a"' ? etag === validator : etag === undefined && modified === validator;
        const found = continuationOf(header, { offset: 5, validator, total: 10 });
        assert.equal(typeof found === "object", isSame);
      }),
    );
  });
});
