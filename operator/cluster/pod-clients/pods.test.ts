import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { ask } from "./ask.ts";
import { createJsonMeter, limitsOf } from "./json-meter.ts";
import { createLineReader } from "./line-reader.ts";
import { hearRouter, type SignalsLine } from "./router-signals.ts";

const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
});
const listening = async (server: Server): Promise<number> => {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
};
const http = (answer: RequestListener): Promise<number> => listening(createHttpServer(answer));

const anything = z.unknown();
const askPort = (port: number, mostBytes = 1024) => ask("127.0.0.1", "/statusz", anything, mostBytes, port);

/** A pod that sends this after a request, again and again while the connection takes it; how much it was, and when it was over. */
const flood = async (head: string, piece: string) => {
  const closed = Promise.withResolvers<number>();
  const port = await listening(
    createServer((socket: Socket) => {
      let sent = 0;
      const send = (): void => {
        while (!socket.destroyed && sent < 2 ** 28 && socket.write(piece)) sent += piece.length;
      };
      socket.once("data", () => {
        socket.write(head);
        send();
      });
      socket.on("drain", send).on("error", () => undefined);
      socket.on("close", () => closed.resolve(sent));
    }),
  );
  return { port, closed: closed.promise };
};

describe("what a pod answers", () => {
  it("is taken as it is, with a length and without", async () => {
    const text = JSON.stringify({ a: ['\\"[[', { b: 1 }] });
    const withLength = await http((_, response) => response.end(text));
    const chunked = await http((_, response) => {
      for (const character of text) response.write(character);
      response.end();
    });
    for (const port of [withLength, chunked]) assert.deepEqual(await askPort(port), JSON.parse(text));
  });

  it("is read up to its bound and no further, and then the connection ends", async () => {
    const head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
    const { closed, port } = await flood(head, `"${"x".repeat(65_534)}"`);
    assert.equal(await askPort(port), undefined);
    // what is on the way in the sockets of both sides
    assert.ok((await closed) < 2 ** 26);
  });

  it("has no headers without end", async () => {
    const { closed, port } = await flood("HTTP/1.1 200 OK\r\n", `x-header: ${"y".repeat(1000)}\r\n`);
    assert.equal(await askPort(port), undefined);
    assert.ok((await closed) < 2 ** 26);
  });

  it("is not read where it is an error that does not end", async () => {
    const { closed, port } = await flood("HTTP/1.1 500 Oh\r\n\r\n", "x".repeat(65_536));
    assert.equal(await askPort(port, 2 ** 30), undefined);
    assert.ok((await closed) < 2 ** 28);
  });

  it("is not waited for where it comes byte by byte", async () => {
    const dripped = Promise.withResolvers<void>();
    const port = await http((_, response) => {
      const timer = setInterval(() => response.write(" "), 5);
      response.on("close", () => {
        clearInterval(timer);
        dripped.resolve();
      });
    });
    assert.equal(await askPort(port, 2 ** 20), undefined);
    await dripped.promise;
  });

  it("is nothing where it is many small parts, is nested deeply, or is none of what was asked for", async () => {
    for (const text of ["[".repeat(40) + "]".repeat(40), `[${Array(400).fill("[]").join()}]`, "{", '{"a":']) {
      const port = await http((_, response) => response.end(text));
      assert.equal(await askPort(port), undefined, text.slice(0, 20));
    }
    const port = await http((_, response) => response.end('{"a":"b"}'));
    assert.equal(await ask("127.0.0.1", "/", z.object({ a: z.number() }), 1024, port), undefined);
  });
});

describe("JSON as it comes", () => {
  it("has as many parts as it has objects, lists and texts, however it is cut", () => {
    const count = (value: unknown): number =>
      typeof value === "string"
        ? 1
        : typeof value !== "object" || value === null
          ? 0
          : Array.isArray(value)
            ? value.reduce((sum: number, one) => sum + count(one), 1)
            : Object.values(value).reduce((sum: number, one) => sum + 1 + count(one), 1);
    fc.assert(
      fc.property(fc.json(), fc.integer({ min: 1, max: 7 }), (text, step) => {
        const bytes = Buffer.from(text);
        const passes = (parts: number): boolean => {
          const meter = createJsonMeter({ ...limitsOf(bytes.length), depth: 99, parts });
          return Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) =>
            meter(bytes.subarray(i * step, (i + 1) * step)),
          ).every(Boolean);
        };
        const parts = count(JSON.parse(text));
        assert.ok(passes(parts));
        if (parts > 0) assert.ok(!passes(parts - 1));
      }),
    );
  });
});

describe("lines", () => {
  it("are the same, however they are cut", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 9 })), fc.integer({ min: 1, max: 5 }), (parts, step) => {
        const text = Buffer.from(`${parts.map((part) => part.replaceAll("\n", "")).join("\n")}\n`);
        const read = createLineReader(1000);
        const lines: string[] = [];
        for (let i = 0; i < text.length; i += step)
          lines.push(...(read(text.subarray(i, i + step)) ?? []).map((one) => one.toString()));
        assert.deepEqual(lines, text.toString().split("\n").slice(0, -1));
      }),
    );
  });

  it("are not longer than allowed", () => {
    assert.equal(createLineReader(3)(Buffer.from("abcd")), undefined);
    assert.equal(createLineReader(3)(Buffer.from("abcd\n")), undefined);
    const read = createLineReader(3);
    assert.deepEqual(read(Buffer.from("ab")), []);
    assert.equal(read(Buffer.from("cd")), undefined);
  });
});

describe("what a router counts", () => {
  const hear = async (port: number) => {
    const lines: SignalsLine[] = [];
    const why = await hearRouter("127.0.0.1", (line) => lines.push(line), new AbortController().signal, port);
    return { lines, why };
  };
  it("is not heard where a count is none that sums can hold", async () => {
    const arm = { arrived: 1e300, crowd: 0, waiting: 0, inFlight: 0 };
    const port = await http((_, response) =>
      response.end(`${JSON.stringify({ started: "s", models: { m: { r: arm } } })}\n`),
    );
    assert.match((await hear(port)).why, /models\.m\.r\.arrived/);
  });
  const told = { started: "s", models: { constructor: { a: { arrived: 1, crowd: 0, waiting: 0, inFlight: 1 } } } };

  it("is heard line by line until the connection ends", async () => {
    const port = await http((_, response) => response.end(`${JSON.stringify(told)}\n${JSON.stringify(told)}\n`));
    assert.deepEqual(await hear(port), { lines: [told, told], why: "the connection ended" });
  });

  it("ends with one short line where it is of another version, whatever was sent", async () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`m${i}`, { r: { arrived: -1 } }]));
    for (const text of [JSON.stringify({ started: "s", models: many }), "{", `{"${"x".repeat(5000)}":1}`]) {
      const port = await http((_, response) => response.end(`${text}\n`));
      const { why } = await hear(port);
      assert.match(why, /^its answer has an unknown format \(.*may run another version of Berth$/);
      assert.ok(why.length <= 300, why);
    }
  });

  it("ends with the status where it is an error, whose text may have no end", async () => {
    const refused = await http((_, response) => response.writeHead(404).end());
    assert.equal((await hear(refused)).why, "HTTP 404");
    const { closed, port } = await flood("HTTP/1.1 503 Oh\r\n\r\n", "x".repeat(65_536));
    assert.equal((await hear(port)).why, "HTTP 503");
    assert.ok((await closed) < 2 ** 28);
  });

  it("ends where a line does not", async () => {
    const { closed, port } = await flood("HTTP/1.1 200 OK\r\n\r\n", "x".repeat(65_536));
    assert.equal((await hear(port)).why, "a line of more than 1048576 bytes");
    assert.ok((await closed) < 2 ** 26);
  });
});
