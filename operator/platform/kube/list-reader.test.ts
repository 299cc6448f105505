import assert from "node:assert/strict";
import { createServer } from "node:http";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createClient } from "./create-client.ts";
import { createListReader } from "./list-reader.ts";
import { PODS } from "./resources.ts";
import { createTransport } from "./transport.ts";

describe("a list that is read as it comes", () => {
  const item = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ stringUnit: "binary" }));
  const lists = fc.record({
    before: fc.dictionary(fc.string(), fc.jsonValue()),
    items: fc.option(fc.array(item), { nil: null }),
    metadata: fc.record({ resourceVersion: fc.string(), items: fc.array(item) }),
  });

  it("is what it is when it is parsed whole, wherever it is cut", () => {
    fc.assert(
      fc.property(lists, fc.array(fc.nat(400)), fc.nat(2), ({ before, ...rest }, cuts, indent) => {
        const whole = { ...before, ...rest };
        const bytes = Buffer.from(JSON.stringify(whole, undefined, indent));
        const reader = createListReader();
        const items: unknown[] = [];
        let from = 0;
        for (const end of [...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]) {
          items.push(...reader.take(bytes.subarray(from, end)));
          from = end;
        }
        const { items: wanted, ...around } = JSON.parse(bytes.toString());
        assert.deepEqual(items, wanted ?? []);
        assert.deepEqual(reader.rest(), { ...around, items: wanted === null ? null : [] });
      }),
      { numRuns: 1000 },
    );
  });

  it("is nothing where it has not come to its end, or is no JSON", () => {
    for (const text of ['{"items":[{"a":1},{"b"', '{"items":[{"a":1}]', "<html>", ""]) {
      const reader = createListReader();
      reader.take(Buffer.from(text));
      assert.equal(reader.rest(), undefined, text);
    }
    assert.throws(() => createListReader().take(Buffer.from('{"items":[{"a":}]}')), SyntaxError);
  });

  it("is taken in slices, with turns of the event loop between them", async () => {
    const pod = { metadata: { name: "p", annotations: { much: "x".repeat(10_000) } } };
    const body = JSON.stringify({ metadata: { resourceVersion: "7", continue: "more" }, items: Array(500).fill(pod) });
    const server = createServer((_, response) => response.writeHead(200).end(body));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    const transport = createTransport(() =>
      Promise.resolve({ server: `http://127.0.0.1:${address.port}`, headers: {}, tls: {}, fingerprint: "1" }),
    );
    let [inTurn, most, all, isOver] = [0, 0, 0, false];
    const turn = () => {
      most = Math.max(most, inTurn);
      inTurn = 0;
      if (!isOver) setImmediate(turn);
    };
    turn();
    const listed = await createClient(transport).each(PODS, {}, ({ kind }) => {
      assert.equal(kind, "Pod");
      inTurn++;
      all++;
    });
    isOver = true;
    assert.deepEqual([all, listed], [500, { resourceVersion: "7", continue: "more" }]);
    assert.ok(most * 10_000 <= 2 * (128 + 64) * 1024, `${most} in one turn`);
    await transport.close();
    server.close();
  });
});
