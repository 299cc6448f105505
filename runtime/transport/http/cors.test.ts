import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { describe, it, type TestContext } from "node:test";
import { RequestError } from "../../errors/request-error.ts";
import { createMemory } from "../../memory/shares.ts";
import { parseServeOptions } from "../../server/options.ts";
import { type Origins, parseOrigins } from "./cors.ts";
import { createHttpServer } from "./index.ts";

const APP = "https://app.example.com";

const start = async (t: TestContext, origins?: Origins) => {
  const infer = { POST: () => ({ status: 200, headers: {}, parts: ["x".repeat(5000)] }) };
  const wrong = {
    POST: () => {
      throw new RequestError("Overloaded", "come back", 2);
    },
  };
  const server = createHttpServer(
    [
      {
        paths: new Map([
          ["/infer", infer],
          ["/wrong", wrong],
        ]),
        explain: () => undefined,
      },
    ],
    { maxBodyBytes: 1000, maxConnectionAgeMs: 300_000, memory: createMemory(2 ** 30, () => 0), origins },
    { error: () => undefined },
  );
  const port = await server.listen(0, "127.0.0.1");
  t.after(() => server.close());
  return async (method: string, path: string, headers: Record<string, string>): Promise<IncomingMessage> => {
    const sent = httpRequest({ port, host: "127.0.0.1", method, path, headers });
    sent.end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    response.resume();
    await once(response, "end");
    return response;
  };
};
const question = (origin: string) => ({
  origin,
  "access-control-request-method": "POST",
  "access-control-request-headers": "content-type,inference-header-content-length",
});

describe("pages of other origins", () => {
  it("are told nothing unless origins were given", async (t) => {
    const ask = await start(t);
    const answer = await ask("POST", "/infer", { origin: APP });
    assert.equal(answer.headers["access-control-allow-origin"], undefined);
    assert.equal(answer.headers.vary, undefined);
    const preflight = await ask("OPTIONS", "/infer", question(APP));
    assert.equal(preflight.statusCode, 405);
    assert.equal(preflight.headers["access-control-allow-origin"], undefined);
  });

  it("of the origins that were given may ask, and read all that is answered", async (t) => {
    const ask = await start(t, new Set([APP]));
    const preflight = await ask("OPTIONS", "/infer", question(APP));
    assert.equal(preflight.statusCode, 200);
    assert.equal(preflight.headers["access-control-allow-origin"], APP);
    assert.equal(preflight.headers["access-control-allow-methods"], "GET, HEAD, POST");
    assert.equal(preflight.headers["access-control-allow-headers"], "content-type,inference-header-content-length");
    assert.match(preflight.headers.vary ?? "", /origin/);
    for (const [path, status] of [
      ["/infer", 200],
      ["/wrong", 429],
      ["/nowhere", 404],
    ] as const) {
      for (const more of [{}, { "accept-encoding": "gzip" }]) {
        const answer = await ask("POST", path, { origin: APP, ...more });
        assert.equal(answer.statusCode, status);
        assert.equal(answer.headers["access-control-allow-origin"], APP);
        assert.match(answer.headers["access-control-expose-headers"] ?? "", /inference-header-content-length/);
        assert.match(answer.headers.vary ?? "", /origin/);
      }
    }
  });

  it("of other origins may not", async (t) => {
    const ask = await start(t, new Set([APP]));
    for (const origin of [
      "https://evil.example",
      "http://app.example.com",
      `${APP}.evil.example`,
      "null",
      `${APP}:444`,
    ]) {
      const preflight = await ask("OPTIONS", "/infer", question(origin));
      assert.equal(preflight.statusCode, 403);
      assert.equal(preflight.headers["access-control-allow-origin"], undefined);
      const answer = await ask("POST", "/infer", { origin });
      assert.equal(answer.headers["access-control-allow-origin"], undefined);
      assert.match(answer.headers.vary ?? "", /origin/, "what a cache keeps of it must not be given to others");
    }
  });

  it("of all origins may where * was written", async (t) => {
    const ask = await start(t, "*");
    assert.equal((await ask("OPTIONS", "/infer", question(APP))).headers["access-control-allow-origin"], "*");
    assert.equal((await ask("POST", "/infer", { origin: "null" })).headers["access-control-allow-origin"], "*");
    const plain = await ask("OPTIONS", "/infer", {});
    assert.equal(plain.statusCode, 405, "no question of a browser's");
  });

  it("cannot put headers of their own into an answer", async (t) => {
    const ask = await start(t, "*");
    const headers = { ...question(APP), "access-control-request-headers": "x-\u00e9, <script>" };
    const preflight = await ask("OPTIONS", "/infer", headers);
    assert.equal(preflight.headers["access-control-allow-headers"], undefined);
  });
});

describe("--cors-origins", () => {
  it("takes origins, and * alone", () => {
    assert.equal(parseOrigins("*"), "*");
    assert.deepEqual(parseOrigins(`${APP}, http://localhost:3000`), new Set([APP, "http://localhost:3000"]));
    assert.deepEqual(parseOrigins("HTTPS://App.Example.com"), new Set([APP]));
    assert.deepEqual(parseOrigins(`${APP}:443,http://a.example:80`), new Set([APP, "http://a.example"]));
    assert.deepEqual(parseOrigins("http://[::1]:8080"), new Set(["http://[::1]:8080"]));
  });

  it("refuses what is none by its name", () => {
    for (const wrong of [
      "*.example.com",
      "app.example.com",
      `${APP}/`,
      `${APP}/page`,
      "ftp://a.example",
      "null",
      "https://*.a.example",
    ]) {
      assert.deepEqual(parseOrigins(`${APP},${wrong}`), { wrong });
    }
    assert.deepEqual(parseOrigins(`*,${APP}`), { wrong: "*" });
    assert.throws(() => parseServeOptions(["--model", "m.onnx", "--cors-origins", "example.com"], false), {
      message: /--cors-origins: "example.com" is not an origin; give a scheme/,
    });
    const options = parseServeOptions(["--model", "m.onnx", "--cors-origins", APP], false);
    assert.ok(options !== "help");
    assert.deepEqual(options.corsOrigins, new Set([APP]));
  });
});
