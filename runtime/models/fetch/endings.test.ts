import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { pino } from "pino";
import { fetchFrom, head, scriptedStore } from "../../../test/runtime/scripted-store.ts";
import { fetchModel } from "./index.ts";
import { pvcSource } from "./pvc.ts";
import { TransientFailure } from "./source.ts";

const model = Buffer.alloc(10_000, 8);
const sha256 = createHash("sha256").update(model).digest("hex");

const answering = (t: TestContext, answer: (socket: Socket) => void) =>
  scriptedStore(t, (_asked, socket) => answer(socket));
const chunk = (bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);

/** Each ends without having said that it would. */
const cut: Record<string, (socket: Socket) => void> = {
  "less than its content-length": (socket) => {
    socket.write(head(200, { "content-length": model.length }));
    socket.end(model.subarray(0, 5000));
  },
  "chunks without the last one": (socket) => {
    socket.write(head(200, { "transfer-encoding": "chunked" }));
    socket.end(chunk(model.subarray(0, 5000)));
  },
  "a part of a chunk": (socket) => {
    socket.write(head(200, { "transfer-encoding": "chunked" }));
    socket.end(chunk(model).subarray(0, 5000));
  },
  "no chunk at all": (socket) => socket.end(head(200, { "transfer-encoding": "chunked" })),
  "a part of a chunk on a connection that it closes": (socket) => {
    socket.write(head(200, { "transfer-encoding": "chunked", connection: "close" }));
    socket.end(chunk(model).subarray(0, 5000));
  },
  "a part of a chunk and a reset connection": (socket) => {
    socket.write(head(200, { "transfer-encoding": "chunked", connection: "close" }));
    socket.write(chunk(model).subarray(0, 5000), () => socket.resetAndDestroy());
  },
};

/** What undici takes for a whole answer. */
const reset = (bytes: Buffer) => (socket: Socket) => {
  socket.write(head(200));
  socket.write(bytes, () => socket.resetAndDestroy());
};
const closed = (bytes: Buffer) => (socket: Socket) => {
  socket.write(head(200));
  socket.end(bytes);
};
const old = (bytes: Buffer) => (socket: Socket) =>
  socket.end(Buffer.concat([Buffer.from("HTTP/1.0 200 OK\r\n\r\n"), bytes]));

const timing = { now: () => 0, random: () => 1, sleep: async () => undefined };

describe("a model's end", () => {
  for (const [what, answer] of Object.entries(cut))
    it(`is missing in an answer of ${what}: it is asked for again, and told`, async (t) => {
      const store = await answering(t, answer);
      await assert.rejects(fetchFrom(`${store.url}/model`), {
        code: "ModelUnreachable",
        message: /tried 5 times$/,
      });
      assert.equal(store.asked.length, 5);
    });

  for (const [what, answer] of [
    ["a connection", closed],
    ["HTTP/1.0", old],
  ] as const) {
    it(`that is only the end of ${what} is proved by a checksum`, async (t) => {
      const { url } = await answering(t, answer(model));
      assert.equal((await fetchFrom(`${url}/model`, { sha256 })).fetched.digest, `sha256:${sha256}`);
      assert.equal((await fetchFrom(`${url}/model`, { pin: sha256 })).fetched.bytes, model.length);
    });

    it(`that is only the end of ${what} is refused without one, since nobody could tell it from a cut`, async (t) => {
      for (const bytes of [model, model.subarray(0, 5000), Buffer.alloc(0)]) {
        const store = await answering(t, answer(bytes));
        await assert.rejects(fetchFrom(`${store.url}/model`), {
          code: "ModelUriInvalid",
          message:
            /sends neither content-length nor chunks.* set spec\.model\.sha256, or serve the model with content-length$/,
        });
        assert.equal(store.asked.length, 1);
      }
    });

    it(`that is only the end of ${what} and does not fit the checksum may be a cut: it is asked for again`, async (t) => {
      for (const [cutOff, given, code] of [
        [answer(model.subarray(0, 5000)), { sha256 }, "ChecksumMismatch"],
        [reset(model.subarray(0, 5000)), { sha256 }, "ChecksumMismatch"],
        [answer(Buffer.alloc(0)), { pin: sha256 }, "ModelChanged"],
      ] as const) {
        const store = await answering(t, cutOff);
        const message = /sends neither content-length nor chunks.*; tried 5 times$/;
        await assert.rejects(fetchFrom(`${store.url}/model`, given), { code, message });
        assert.equal(store.asked.length, 5);
      }
    });
  }

  it("comes with chunks, or with a length", async (t) => {
    const chunked = await answering(t, (socket) => {
      socket.write(head(200, { "transfer-encoding": "chunked" }));
      socket.write(Buffer.concat([chunk(model), Buffer.from("0\r\n\r\n")]));
    });
    assert.equal((await fetchFrom(`${chunked.url}/model`)).fetched.digest, `sha256:${sha256}`);
  });

  it("is there where the connection breaks behind the last byte of its length", async () => {
    let opened = 0;
    const request = {
      source: async () => {
        opened++;
        const body = (async function* () {
          yield model;
          throw new TransientFailure("other side closed");
        })();
        const known = { shown: "x", offset: 0, total: model.length, hasEnd: true, validator: undefined };
        return { ...known, body, discard: async () => undefined };
      },
      ...{ to: join(mkdtempSync(join(tmpdir(), "fetch-")), "to"), expected: { sha256: undefined, pin: undefined } },
      diskLimitBytes: undefined,
    };
    const fetched = await fetchModel(request, pino({ level: "silent" }), timing);
    assert.deepEqual([fetched.digest, opened], [`sha256:${sha256}`, 1]);
  });

  it("that is its beginning is named: a model of 0 bytes", async (t) => {
    const message = /\/model is empty: it has 0 bytes/;
    for (const answer of [
      (socket: Socket) => socket.write(head(200, { "content-length": 0 })),
      (socket: Socket) => socket.write(`${head(200, { "transfer-encoding": "chunked" })}0\r\n\r\n`),
    ]) {
      const store = await answering(t, answer);
      await assert.rejects(fetchFrom(`${store.url}/model`), { code: "ModelInvalid", message });
      assert.equal(store.asked.length, 1);
    }
    const directory = mkdtempSync(join(tmpdir(), "claim-"));
    writeFileSync(join(directory, "model"), "");
    const request = {
      source: pvcSource("pvc://c/model", "model", directory),
      ...{ to: join(directory, "to"), expected: { sha256: undefined, pin: undefined }, diskLimitBytes: undefined },
    };
    await assert.rejects(fetchModel(request, pino({ level: "silent" }), timing), { code: "ModelInvalid", message });
  });
});
