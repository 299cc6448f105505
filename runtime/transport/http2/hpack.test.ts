import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:http2";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { createFrameReader, HEAD_BYTES, writeHead } from "./frames.ts";
import { createHpackDecoder } from "./hpack.ts";
import { decodeHuffman, isComplete } from "./huffman.ts";

const LIMITS = { tableBytes: 4096, listBytes: 16_384 };
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

test("the code is complete", () => assert.ok(isComplete()));

test("requests of RFC 7541, C.4 are decoded, each with the table that those before left", () => {
  const { decode } = createHpackDecoder(LIMITS);
  const common = [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
  ];
  const none = { tooLarge: false };
  assert.deepEqual(decode(hex("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff")), { headers: common, ...none });
  assert.deepEqual(decode(hex("8286 84be 5886 a8eb 1064 9cbf")), {
    headers: [...common, ["cache-control", "no-cache"]],
    ...none,
  });
});

test("what is damaged is refused", () => {
  const damaged = {
    "index 0": "80",
    "no such entry": "be",
    "a table larger than allowed": "3fe2 1f",
    "a table's size after a header": "8220",
    "an integer without end": "ffff ffff ffff ffff ff",
    "a string that is cut off": "4003 6162",
    "a literal without a value": "41",
    "padding of eight bits": "4182 1fff ff",
    "padding of zeros": "4181 18",
    "the end symbol": "4184 ffff ffff",
  };
  for (const [name, block] of Object.entries(damaged)) {
    assert.equal(createHpackDecoder(LIMITS).decode(hex(block)), undefined, name);
  }
});

test("a list that is too large is said to be so, and the table is kept right", () => {
  const { decode } = createHpackDecoder({ ...LIMITS, listBytes: 40 });
  assert.deepEqual(decode(hex("82 4001 6101 62")), { headers: [[":method", "GET"]].slice(0, 0), tooLarge: true });
  assert.deepEqual(decode(hex("be")), { headers: [["a", "b"]], tooLarge: false });
});

test("any bytes are decoded or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const { decode } = createHpackDecoder(LIMITS);
      decode(bytes);
      decode(bytes);
      assert.ok(decodeHuffman(bytes, 0, bytes.length, new Uint8Array(bytes.length * 2)) <= (bytes.length * 8) / 5);
    }),
    { seed: 7541, numRuns: 2000 },
  );
});

test("what node's client encodes is decoded, whatever character it has", async () => {
  const values = Array.from({ length: 256 }, (_, code) => code)
    .filter((code) => (code > 32 && code < 127) || code > 127)
    .map((code) => `000000000000000000000000000000${String.fromCharCode(code)}a`);
  const { decode } = createHpackDecoder({ ...LIMITS, listBytes: 1_000_000 });
  const sockets: Socket[] = [];
  const found = new Promise<string[]>((resolve) => {
    const got: string[] = [];
    server.on("connection", (socket) => {
      sockets.push(socket);
      let type = 0;
      let flags = 0;
      let skip = 24;
      const parts: Buffer[] = [];
      const read = createFrameReader({
        head: (head) => {
          ({ type, flags } = head);
          return true;
        },
        payload: (bytes, last) => {
          if (type === 1 || type === 9) parts.push(bytes);
          if (!last || (flags & 4) === 0 || (type !== 1 && type !== 9)) return true;
          const block = Buffer.concat(parts.splice(0));
          for (const [name, value] of decode(block)?.headers ?? [["x", "damaged"]]) if (name === "x") got.push(value);
          if (got.length >= values.length) resolve(got);
          return true;
        },
      });
      socket.on("data", (chunk) => {
        const skipped = Math.min(skip, chunk.length);
        skip -= skipped;
        read(chunk.subarray(skipped));
      });
      const settings = Buffer.alloc(HEAD_BYTES);
      writeHead(settings, 0, 0, 4, 0, 0);
      socket.write(settings);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const client = connect(`http://127.0.0.1:${address.port}`);
  client.on("error", () => {});
  for (const x of values) client.request({ ":path": "/a", x }).on("error", () => {});
  assert.deepEqual((await found).toSorted(), values.toSorted());
  client.destroy();
  for (const socket of sockets) socket.destroy();
  server.close();
});

const server = createServer();
