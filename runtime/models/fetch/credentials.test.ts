import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { pino } from "pino";
import { runFetch } from "./command.ts";
import { readAuthorization } from "./credentials.ts";

const secretOf = (keys: Record<string, string>): string => {
  const directory = mkdtempSync(join(tmpdir(), "credentials-"));
  for (const [key, value] of Object.entries(keys)) writeFileSync(join(directory, key), value);
  return directory;
};
const read = (keys: Record<string, string>, url = "https://models.example.com/a.onnx") =>
  readAuthorization(secretOf(keys), new URL(url));
const refused = { code: "CredentialsNotForHost" };

const allowed: [string, string][] = [
  ["models.example.com", "https://models.example.com/a"],
  ["models.example.com", "https://models.example.com:8443/a"],
  ["Models.Example.com\n", "https://MODELS.example.com/a"],
  ["git.example.com, models.example.com", "https://models.example.com/a"],
  ["git.example.com\n  models.example.com:443\n", "https://models.example.com/a"],
  ["models.example.com:8443", "https://models.example.com:8443/a"],
  ["*.example.com", "https://a.b.example.com/a"],
  ["*.example.com:8443", "https://models.example.com:8443/a"],
  ["10.0.0.5", "https://10.0.0.5/a"],
  ["[fd00::1]:8443", "https://[fd00::1]:8443/a"],
];
const denied: [string, string][] = [
  ["models.example.com", "https://evil.example/a"],
  ["models.example.com", "https://models.example.com.evil.example/a"],
  ["models.example.com", "https://evil-models.example.com/a"],
  ["models.example.com:8443", "https://models.example.com/a"],
  ["models.example.com:443", "https://models.example.com:8443/a"],
  ["*.example.com", "https://example.com/a"],
  ["*.example.com", "https://evilexample.com/a"],
  ["*.0.0.5", "https://10.0.0.5/a"],
  ["*", "https://models.example.com/a"],
  ["*.", "https://models.example.com/a"],
  ["https://models.example.com", "https://models.example.com/a"],
  ["models.example.com/a", "https://models.example.com/a"],
  ["", "https://models.example.com/a"],
  [" ,\n", "https://models.example.com/a"],
];

describe("credentials", () => {
  for (const [hosts, url] of allowed)
    it(`${JSON.stringify(hosts)} allows ${url}`, () => assert.equal(read({ token: "t", hosts }, url), "Bearer t"));
  for (const [hosts, url] of denied)
    it(`${JSON.stringify(hosts)} does not allow ${url}`, () =>
      assert.throws(() => read({ token: "t", hosts }, url), refused));

  it("of a Secret without the key are sent nowhere, and the message says how to allow it", () => {
    const message =
      /^the Secret of spec\.model\.credentials has no key "hosts", .*kubectl patch secret NAME --type merge -p '\{"stringData":\{"hosts":"models\.example\.com"\}\}'$/;
    // as of a service account, and of a database
    assert.throws(() => read({ token: "t", "ca.crt": "c", namespace: "n" }), { ...refused, message });
    assert.throws(() => read({ username: "u", password: "p" }), { ...refused, message });
    assert.throws(() => read({ password: "p" }), refused);
  });

  it("show nothing of the Secret in a message", () => {
    assert.throws(
      () => read({ token: "s3cret", hosts: "hunter2 https://x" }),
      (error: Error) => {
        assert.match(error.message, /add the host, and correct entry 2/);
        assert.doesNotMatch(error.message, /s3cret|hunter2/);
        return true;
      },
    );
  });

  it("are a token, or a user with a password", () => {
    const hosts = "models.example.com";
    assert.equal(read({ username: "u", password: "p\n", hosts }), `Basic ${Buffer.from("u:p").toString("base64")}`);
    assert.throws(() => read({ username: "u", hosts }), { code: "ModelForbidden" });
    assert.throws(() => read({ token: "a b", hosts }), { code: "ModelForbidden" });
  });
});

describe("a Secret without credentials", () => {
  it("is named as such, with its keys and with those that are read", () => {
    for (const [keys, shown] of [
      [{ other: "x" }, "the key other"],
      [{ Token: "t", hosts: "models.example.com" }, "the keys Token, hosts"],
      [{ hosts: "models.example.com" }, "the key hosts"],
      [
        { AWS_ACCESS_KEY_ID: "s3cret", AWS_SECRET_ACCESS_KEY: "s3cret" },
        "the keys AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY",
      ],
      [{ ".dockerconfigjson": "s3cret" }, "the key .dockerconfigjson"],
      [{ "..data": "", "..2026_11_29": "" }, "no keys"],
      [
        Object.fromEntries("abcdefghijkl".split("").map((key) => [key, "x"])),
        "the keys a, b, c, d, e, f, g, h, i, j, …",
      ],
    ] as const) {
      const message = `the Secret of spec.model.credentials has ${shown}; it needs hosts, and token or username and password.`;
      assert.throws(
        () => read(keys),
        (error: Error & { code?: string }) => {
          assert.equal(error.message.startsWith(message), true, error.message);
          assert.equal(error.code, "ModelForbidden");
          assert.doesNotMatch(error.message, /s3cret/);
          return true;
        },
      );
    }
    assert.throws(() => readAuthorization("/none", new URL("https://models.example.com/a")), /has no keys/);
  });

  it("is told of the half that it lacks", () => {
    const hosts = "models.example.com";
    assert.throws(
      () => read({ username: "u", passwd: "p", hosts }),
      /has only the keys hosts, passwd, username; it needs both/,
    );
  });
});

const listening = async (t: TestContext, server: Server): Promise<string> => {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  const address = server.address();
  return `127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
};

describe("fetch with credentials", () => {
  const fetchFrom = (host: string, credentials: string, proxy?: string) =>
    runFetch(
      {
        uri: `http://${host}/model`,
        to: join(mkdtempSync(join(tmpdir(), "fetch-")), "model.onnx"),
        sha256: undefined,
        diskLimitBytes: undefined,
        allowHttp: true,
        pinFile: undefined,
        caFile: undefined,
        credentials,
        claimDirectory: "/none",
        progressPort: undefined,
        proxy,
        noProxy: undefined,
        terminationLog: "/dev/null",
      },
      () => true,
      pino({ level: "silent" }),
    );

  it("asks a host that the Secret does not name for nothing", async (t) => {
    let requests = 0;
    const host = await listening(
      t,
      createServer((_, response) => {
        requests += 1;
        response.end(Buffer.alloc(100, 8));
      }),
    );
    await assert.rejects(fetchFrom(host, secretOf({ token: "t" })), refused);
    await assert.rejects(fetchFrom(host, secretOf({ token: "t", hosts: "models.example.com" })), refused);
    assert.equal(requests, 0);
  });

  it("asks a proxy for nothing that could read them, and that the Secret does not name", async (t) => {
    let requests = 0;
    const proxy = await listening(
      t,
      createServer((_, response) => {
        requests += 1;
        response.end();
      }),
    );
    const message = new RegExp(`^the Secret of spec\\.model\\.credentials does not list ${proxy} in its key`);
    const credentials = secretOf({ token: "t", hosts: "models.example.com" });
    await assert.rejects(fetchFrom("models.example.com", credentials, `http://${proxy}`), { ...refused, message });
    assert.equal(requests, 0);
  });

  it("sends them to the host that it names, and not to another one that this redirects to", async (t) => {
    const seen: (string | undefined)[] = [];
    const other = await listening(
      t,
      createServer((request, response) => {
        seen.push(request.headers.authorization);
        response.end(Buffer.alloc(100, 8));
      }),
    );
    const host = await listening(
      t,
      createServer((request, response) => {
        seen.push(request.headers.authorization);
        response.writeHead(302, { location: `http://${other}/model` }).end();
      }),
    );
    await fetchFrom(host, secretOf({ token: "t", hosts: `${host} 127.0.0.1` }));
    assert.deepEqual(seen, ["Bearer t", undefined]);
  });

  it("sends them to another path of that host, but not to one that another host has redirected back to", async (t) => {
    const seen: [string | undefined, string | undefined][] = [];
    const redirecting = (to: (path: string) => string | undefined) =>
      createServer((request, response) => {
        seen.push([request.url, request.headers.authorization]);
        const location = to(request.url ?? "");
        if (location === undefined) response.end(Buffer.alloc(100, 8));
        else response.writeHead(302, { location }).end();
      });
    let [host, other] = ["", ""];
    host = await listening(
      t,
      redirecting((path) => (path === "/model" ? "/moved" : path === "/moved" ? `http://${other}/away` : undefined)),
    );
    other = await listening(
      t,
      redirecting(() => `http://${host}/chosen`),
    );
    await fetchFrom(host, secretOf({ token: "t", hosts: host }));
    assert.deepEqual(seen, [
      ["/model", "Bearer t"],
      ["/moved", "Bearer t"],
      ["/away", undefined],
      ["/chosen", undefined],
    ]);
  });
});
