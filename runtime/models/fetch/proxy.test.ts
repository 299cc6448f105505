import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { pino } from "pino";
import { type AddressPolicy, clusterAddressPolicy } from "./address-policy.ts";
import { runFetch } from "./command.ts";
import { parseProxy, proxyFor } from "./proxy.ts";

const model = Buffer.alloc(10_000, 8);
const digest = `sha256:${createHash("sha256").update(model).digest("hex")}`;

/** Of models.example.test, which no name server knows. Made for this test, and used nowhere else. */
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwZgn8qkbO91IO+8J
222JxBpMVeP8Mqec1sk5OlA31dyhRANCAAS1Mf/LCpfzaflbxMXadTpnGA/518zq
5i1onWL/+TqejZZwWhs8SEssfu7V+aJyc98pi7glSZnewoWGlENBZDyw
-----END PRIVATE KEY-----
`;
const certificate = `-----BEGIN CERTIFICATE-----
MIIBszCCAVmgAwIBAgIUYGy6DZMhlxIrrY+ryWrs7uH5smEwCgYIKoZIzj0EAwIw
HjEcMBoGA1UEAwwTbW9kZWxzLmV4YW1wbGUudGVzdDAgFw0yNjExMjgyMjAxMjZa
GA8yMTI2MTEwNDIyMDEyNlowHjEcMBoGA1UEAwwTbW9kZWxzLmV4YW1wbGUudGVz
dDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLUx/8sKl/Np+VvExdp1OmcYD/nX
zOrmLWidYv/5Op6NlnBaGzxISyx+7tX5onJz3ymLuCVJmd7ChYaUQ0FkPLCjczBx
MB0GA1UdDgQWBBTFDH593E8PGAsAsQYwYTVi+rSmGjAfBgNVHSMEGDAWgBTFDH59
3E8PGAsAsQYwYTVi+rSmGjAPBgNVHRMBAf8EBTADAQH/MB4GA1UdEQQXMBWCE21v
ZGVscy5leGFtcGxlLnRlc3QwCgYIKoZIzj0EAwIDSAAwRQIgIA8Y7ohRFlveJPPd
9x0rHtQd+/gCswv0tbFTtNeFxy8CIQCSc6hri0zwSmhm55iW126kiAl5lbs9ehC6
tMWTprOu/w==
-----END CERTIFICATE-----
`;

const listen = async (t: TestContext, server: Server | ReturnType<typeof createTlsServer>): Promise<number> => {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no address");
  return address.port;
};

/** What it was asked for is in `asked`. It knows one host: itself. */
const startProxy = async (t: TestContext, answer = 200): Promise<{ url: string; asked: string[] }> => {
  const asked: string[] = [];
  const proxy = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end(model);
  });
  proxy.on("connect", ({ method, url = "" }, socket) => {
    asked.push(`${method} ${url}`);
    if (answer !== 200) return void socket.end(`HTTP/1.1 ${answer} No\r\n\r\n`);
    const upstream = connect(Number(url.split(":").at(-1)), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    for (const each of [socket, upstream]) each.on("error", () => each.destroy());
  });
  return { url: `http://127.0.0.1:${await listen(t, proxy)}`, asked };
};

const startModels = (t: TestContext): Promise<number> =>
  listen(
    t,
    createTlsServer({ key, cert: certificate }, (_request, response) => response.end(model)),
  );

const anywhere: AddressPolicy = () => true;

const fetchThrough = (uri: string, proxy: string, { noProxy = "", policy = anywhere } = {}) => {
  const folder = mkdtempSync(join(tmpdir(), "fetch-proxy-"));
  const caFile = join(folder, "ca.crt");
  writeFileSync(caFile, certificate);
  const nothing = { sha256: undefined, pinFile: undefined, credentials: undefined, progressPort: undefined };
  const options = {
    ...nothing,
    ...{ uri, to: join(folder, "model.onnx"), proxy, noProxy, caFile, allowHttp: true, diskLimitBytes: undefined },
    ...{ claimDirectory: "/none", terminationLog: "/dev/null" },
  };
  return runFetch(options, policy, pino({ level: "silent" }));
};

describe("a fetch through a proxy", () => {
  it("tunnels https to a host that only the proxy knows, and checks that host's certificate", async (t) => {
    const [models, proxy] = [await startModels(t), await startProxy(t)];
    const fetched = await fetchThrough(`https://models.example.test:${models}/a.onnx`, proxy.url);
    assert.deepEqual([fetched.digest, proxy.asked], [digest, [`CONNECT models.example.test:${models}`]]);
    await assert.rejects(fetchThrough(`https://other.example.test:${models}/a.onnx`, proxy.url), {
      code: "ModelUnreachable",
      message: /certificate of other\.example\.test/,
    });
  });

  it("asks the proxy for what is at http", async (t) => {
    const proxy = await startProxy(t);
    assert.equal((await fetchThrough("http://models.example.test/a.onnx", proxy.url)).digest, digest);
    assert.deepEqual(proxy.asked, ["GET http://models.example.test/a.onnx"]);
  });

  it("goes directly to the hosts of noProxy", async (t) => {
    const [models, proxy] = [await startModels(t), await startProxy(t)];
    const noProxy = "example.org,127.0.0.1";
    await assert.rejects(fetchThrough(`https://127.0.0.1:${models}/a.onnx`, proxy.url, { noProxy }), /certificate/);
    assert.deepEqual(proxy.asked, []);
  });

  it("refuses a model's address that no model is fetched from, whoever connects to it", async (t) => {
    const proxy = await startProxy(t);
    const policy: AddressPolicy = (address) => address === "127.0.0.1" || clusterAddressPolicy(address);
    for (const host of ["169.254.169.254", "[::1]", "127.0.0.2"])
      await assert.rejects(fetchThrough(`https://${host}/a.onnx`, proxy.url, { policy }), {
        code: "ModelUriInvalid",
        message: /^the model's host/,
      });
    assert.deepEqual(proxy.asked, []);
  });

  it("refuses a proxy at such an address", async (t) => {
    const proxy = await startProxy(t);
    const refused = fetchThrough("https://models.example.test/a.onnx", proxy.url, { policy: clusterAddressPolicy });
    await assert.rejects(refused, {
      code: "ModelUriInvalid",
      message: /^spec\.model\.proxy\.url: the proxy's host 127\.0\.0\.1/,
    });
    assert.deepEqual(proxy.asked, []);
  });

  it("tells what the proxy answers", async (t) => {
    for (const [answer, message] of [
      [403, /the proxy 127\.0\.0\.1:\d+ answered 403: it denies the model's host/],
      [407, /answered 407: it requires authentication/],
    ] as const) {
      const proxy = await startProxy(t, answer);
      const code = "ModelUnreachable";
      await assert.rejects(fetchThrough("https://models.example.test/a.onnx", proxy.url), { code, message });
      assert.equal(proxy.asked.length, 1, "no second try of what stays so");
    }
  });

  it("takes no user in the proxy's URL", () => {
    for (const url of [
      "http://me:secret@proxy:3128",
      "http://me@proxy",
      "socks5://proxy",
      "http://proxy/path",
      "proxy:3128",
    ])
      assert.throws(() => parseProxy(url, ""), { code: "ModelUriInvalid", message: /^spec\.model\.proxy\.url/ });
  });

  it("noProxy names hosts and all below them", () => {
    const proxy = parseProxy("http://proxy:3128", ".example.com,svc,10.0.0.1,fd00::1,FD00:0::2");
    const direct = [
      "example.com",
      "a.EXAMPLE.com",
      "models.berth.svc",
      "10.0.0.1",
      "[fd00::1]",
      "[fd00::2]",
      "example.com.",
    ];
    assert.deepEqual(
      direct.map((host) => proxyFor(proxy, host)),
      direct.map(() => undefined),
    );
    for (const host of ["badexample.com", "example.org", "110.0.0.1"]) assert.equal(proxyFor(proxy, host), proxy, host);
  });
});
