import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { ofServiceAccount, readKubeConfig } from "./kubeconfig.ts";
import { readPluginCredentials } from "./plugin-credentials.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-kubeconfig-"));
after(() => rmSync(folder, { recursive: true }));

const write = (name: string, content: unknown): string => {
  const file = join(folder, name);
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
};
const base64 = (value: string): string => Buffer.from(value).toString("base64");
const config = (cluster: object, user: object) => ({
  apiVersion: "v1",
  kind: "Config",
  clusters: [{ name: "c", cluster: { server: "https://10.0.0.1:6443", ...cluster } }],
  users: [{ name: "u", user }],
  contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
  "current-context": "x",
});

const USERS: Record<string, object> = {
  token: { token: "secret" },
  "certificate inside": { "client-certificate-data": base64("CERT"), "client-key-data": base64("KEY") },
  "certificate files": { "client-certificate": join(folder, "cert"), "client-key": join(folder, "key") },
  password: { username: "u", password: "p" },
  nobody: {},
};
const CLUSTERS: Record<string, object> = {
  "authority inside": { "certificate-authority-data": base64("CA") },
  "authority file": { "certificate-authority": join(folder, "ca") },
  unverified: { "insecure-skip-tls-verify": true },
  "another name": { "certificate-authority-data": base64("CA"), "tls-server-name": "kubernetes" },
};
for (const [name, content] of Object.entries({ token: "from-file\n", cert: "CERT", key: "KEY", ca: "CA" })) {
  write(name, content);
}

describe("a kubeconfig", () => {
  for (const [ofUser, user] of Object.entries(USERS)) {
    for (const [ofCluster, cluster] of Object.entries(CLUSTERS)) {
      it(`with ${ofUser}, ${ofCluster}: as @kubernetes/client-node reads it`, async () => {
        const file = write("config", config(cluster, user));
        const ours = await readKubeConfig(file)();
        assert.deepEqual(ours, await readPluginCredentials(file)());
      });
    }
  }

  it("finds files beside it, and reads them anew each time", async () => {
    write("short", "one");
    const read = readKubeConfig(write("config", config({ "certificate-authority": "ca" }, { tokenFile: "short" })));
    const first = await read();
    write("short", "two");
    const second = await read();
    assert.deepEqual([first.headers.Authorization, second.headers.Authorization], ["Bearer one", "Bearer two"]);
    assert.deepEqual([first.tls.ca, first.fingerprint], ["CA", second.fingerprint]);
  });

  it("with a plugin asks the plugin", async () => {
    const credential = { kind: "ExecCredential", apiVersion: "client.authentication.k8s.io/v1" };
    const told = JSON.stringify({ ...credential, status: { token: "from-plugin" } });
    const exec = { apiVersion: credential.apiVersion, command: "echo", args: [told], interactiveMode: "Never" };
    const { headers } = await readKubeConfig(write("config", config({}, { exec })))();
    assert.equal(headers.Authorization, "Bearer from-plugin");
  });

  it("that cannot be used is refused by its name", async () => {
    const refused = (content: unknown, message: RegExp) =>
      assert.rejects(readKubeConfig(write("config", content))(), message);
    await refused("just words", /config: not a kubeconfig/);
    await refused({ ...config({}, {}), "current-context": "y" }, /config: no cluster in the current context "y"/);
    await refused(config({ "proxy-url": "http://proxy" }, {}), /config: proxy-url is not supported/);
    await refused(config({ server: "nowhere" }, {}), /config: not a kubeconfig: .*server/);
    await assert.rejects(readKubeConfig(join(folder, "none"))(), /none/);
  });
});

describe("a service account", () => {
  it("is the kubelet's files, and the API server's address", async () => {
    write("ca.crt", "CA");
    const host = (address: string) => ({ KUBERNETES_SERVICE_HOST: address, KUBERNETES_SERVICE_PORT: "6443" });
    const credentials = await ofServiceAccount(host("10.0.0.1"), folder);
    assert.equal(credentials.server, "https://10.0.0.1:6443");
    assert.deepEqual([credentials.headers, credentials.tls], [{ Authorization: "Bearer from-file" }, { ca: "CA" }]);
    assert.equal((await ofServiceAccount(host("fd00::1"), folder)).server, "https://[fd00::1]:6443");
    await assert.rejects(ofServiceAccount({}, folder), /not in a cluster.*--kubeconfig/);
  });
});
