import assert from "node:assert/strict";
import { test } from "node:test";
import { createTrust, fieldsToPod, senderOf } from "./forwarded.ts";

const CLIENT = { remoteAddress: "::ffff:10.1.2.3", localAddress: "::ffff:10.9.9.9", localPort: 8080 };
const trustOf = (trust: string) => createTrust(trust) ?? assert.fail(`no trust of ${trust}`);
const toPod = (fields: string[], trust = "none", client = CLIENT): Record<string, string> => {
  const sent: Record<string, string> = {};
  const all = fieldsToPod(fields, senderOf(client, trustOf(trust), "1.1"));
  for (let i = 0; i < all.length; i += 2) {
    const name = all[i] ?? "";
    sent[name] = sent[name] === undefined ? (all[i + 1] ?? "") : `${sent[name]} | ${all[i + 1]}`;
  }
  return sent;
};

const FORGED = [
  ...["host", "models", "x-forwarded-for", "1.1.1.1", "x-forwarded-for", "2.2.2.2", "x-forwarded-proto", "https"],
  ...["x-forwarded-host", "example.com", "x-forwarded-port", "443", "x-real-ip", "1.1.1.1"],
  ...["forwarded", "for=1.1.1.1;proto=https", "via", "1.1 gateway", "traceparent", "00-1-2-01", "x-request-id", "7"],
];

test("of a client that nobody trusts, pods are told what the router sees", () => {
  assert.deepEqual(toPod(FORGED), {
    host: "models",
    via: "1.1 gateway | 1.1 berth",
    traceparent: "00-1-2-01",
    "x-request-id": "7",
    "x-forwarded-for": "10.1.2.3",
    "x-forwarded-proto": "http",
    "x-forwarded-host": "models",
  });
});

test("a gateway that is trusted speaks for its clients", () => {
  for (const trust of ["all", "10.0.0.0/8", "10.1.2.3", "::1, 10.1.2.3/32"])
    assert.deepEqual(toPod(FORGED, trust), {
      host: "models",
      via: "1.1 gateway | 1.1 berth",
      traceparent: "00-1-2-01",
      "x-request-id": "7",
      "x-forwarded-for": "1.1.1.1, 2.2.2.2, 10.1.2.3",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "example.com",
      "x-forwarded-port": "443",
      "x-real-ip": "1.1.1.1",
      forwarded: "for=1.1.1.1;proto=https, for=10.1.2.3;proto=http",
    });
  for (const trust of ["11.0.0.0/8", "10.1.2.4", "fd00::/8"])
    assert.equal(toPod(FORGED, trust)["x-forwarded-for"], "10.1.2.3");
});

test("an address of IPv6 is quoted where it must be, and trusted by its range", () => {
  const client = { remoteAddress: "fd00::7", localAddress: "fd00::1", localPort: 80 };
  const sent = toPod(["host", "m", "forwarded", "for=a"], "fd00::/8", client);
  assert.deepEqual([sent.forwarded, sent["x-forwarded-for"]], ['for=a, for="[fd00::7]";proto=http', "fd00::7"]);
  assert.equal(toPod([], "none", client).host, "[fd00::1]:80");
});

test("a request without a host, as load balancers send over HTTP/1.0, gets the router's", () => {
  assert.equal(toPod(["accept", "*/*"]).host, "10.9.9.9:8080");
});

test("a client cannot have taken away what others rely on by naming it in connection", () => {
  const kept = ["host", "authorization", "traceparent", "x-request-id", "content-type", "x-berth-revision", "cookie"];
  const fields = ["connection", `close, ${kept.join(", ")}, X-Forwarded-For, via, x-own`];
  for (const name of kept) fields.push(name, "v");
  const sent = toPod([...fields, "x-own", "v", "te", "trailers", "http2-settings", "AAAA", "trailer", "x"]);
  assert.deepEqual(Object.keys(sent), [...kept, "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "via"]);
  assert.equal(sent["x-forwarded-for"], "10.1.2.3");
});

test("what is no range of addresses is no trust", () => {
  for (const range of [
    "",
    "10.0.0.0/33",
    "10.0.0/8",
    "::/129",
    "a",
    "10.0.0.0/8/8",
    "10.0.0.0/",
    "1.2.3.4/x",
    "fe80::1%eth0",
    "none,all",
  ])
    assert.equal(createTrust(range), undefined, range);
});
