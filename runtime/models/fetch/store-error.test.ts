import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fetchFrom, head, scriptedStore } from "../../../test/runtime/scripted-store.ts";
import { parseRetryAfter } from "./retry-after.ts";
import { readStoreError } from "./store-error.ts";

const xml = (code: string, message = "m", more = ""): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message>${more}<RequestId>R</RequestId></Error>`;
const google = (code: number, reason: string, message = "m"): string =>
  JSON.stringify({ error: { code, message, errors: [{ message, domain: "global", reason }] } });
const azure = (code: string, message = "m"): string => JSON.stringify({ error: { code, message } });

/** What comes, whether it stays so, and what is told. */
type Case = [what: string, status: number, body: string, code: string, message: RegExp];

const STAYS: Case[] = [
  [
    "S3's expired token",
    400,
    xml("ExpiredToken", "The provided token has expired."),
    "ModelForbidden",
    /400 \(ExpiredToken\): the signed URI has expired; set spec\.model\.uri/,
  ],
  [
    "S3's expired URI",
    403,
    xml("AccessDenied", "Request has expired", "<Expires>2026-01-01T00:00:00Z</Expires>"),
    "ModelForbidden",
    /403 \(AccessDenied\): the signed URI has expired; set spec\.model\.uri/,
  ],
  ["another store's expired URI", 400, xml("ExpiredRequest"), "ModelForbidden", /has expired/],
  [
    "Azure's expired URI",
    403,
    `\uFEFF${xml("AuthenticationFailed", "Server failed to authenticate the request.", "<AuthenticationErrorDetail>Signature not valid in the specified time frame: Start [a] - Expiry [b] - Current [c]</AuthenticationErrorDetail>")}`,
    "ModelForbidden",
    /has expired/,
  ],
  [
    "Google's expired token",
    400,
    xml("ExpiredToken", "Invalid argument.", "<Details>The provided token has expired</Details>"),
    "ModelForbidden",
    /has expired/,
  ],
  [
    "a clock that is wrong",
    403,
    xml("RequestTimeTooSkewed", "The difference between the request time and the server's time is too large."),
    "ModelForbidden",
    /the clock of the signer is wrong; correct it/,
  ],
  ["a URI of the future", 403, xml("AccessDenied", "Request is not valid yet"), "ModelForbidden", /clock/],
  [
    "a wrong signature",
    403,
    xml("SignatureDoesNotMatch"),
    "ModelForbidden",
    /the signature of the URI is wrong; sign it again, and copy all of it/,
  ],
  ["a key that is unknown", 403, xml("InvalidAccessKeyId"), "ModelForbidden", /the signature of the URI is wrong/],
  [
    "Azure's wrong signature",
    403,
    azure("AuthenticationFailed", "Server failed to authenticate the request."),
    "ModelForbidden",
    /the signature of the URI is wrong/,
  ],
  [
    "two ways to sign",
    400,
    xml(
      "InvalidArgument",
      "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter should be specified",
    ),
    "ModelForbidden",
    /not both; remove spec\.model\.credentials/,
  ],
  ["no rights", 403, xml("AccessDenied", "Access Denied"), "ModelForbidden", /access is denied; name a Secret/],
  ["Google's no rights", 403, google(403, "forbidden"), "ModelForbidden", /403 \(forbidden\): access is denied/],
  ["an archived object", 403, xml("InvalidObjectState"), "ModelForbidden", /archived; restore it in its store/],
  [
    "another region",
    301,
    xml("PermanentRedirect"),
    "ModelForbidden",
    /301 \(PermanentRedirect\): the object is in another region/,
  ],
  ["no such object", 404, xml("NoSuchKey"), "ModelNotFound", /404 \(NoSuchKey\)/],
  ["no such bucket, said so", 400, xml("NoSuchBucket"), "ModelNotFound", /400 \(NoSuchBucket\)/],
  [
    "a 403 of whoever else",
    403,
    "<html>no</html>",
    "ModelForbidden",
    /answered 403: access is denied; name a Secret in spec\.model\.credentials, or renew/,
  ],
  ["a 400 of whoever else", 400, "", "ModelUriInvalid", /answered 400: this is not a model/],
];

const PASSES: Case[] = [
  ["S3's SlowDown", 503, xml("SlowDown"), "ModelUnreachable", /503 \(SlowDown\); tried 5 times/],
  ["S3's request that took too long", 400, xml("RequestTimeout"), "ModelUnreachable", /400 \(RequestTimeout\); tried/],
  ["throttling as a 400", 400, xml("ThrottlingException"), "ModelUnreachable", /ThrottlingException/],
  ["Google's limit as a 403", 403, google(403, "rateLimitExceeded"), "ModelUnreachable", /403 \(rateLimitExceeded\)/],
  ["Azure's ServerBusy", 503, azure("ServerBusy"), "ModelUnreachable", /503 \(ServerBusy\)/],
  ["an object that is being written", 409, xml("OperationAborted"), "ModelUnreachable", /OperationAborted/],
  ["a 429 without a word", 429, "", "ModelUnreachable", /answered 429; tried/],
  ["a 500 of whoever else", 500, "<html>", "ModelUnreachable", /answered 500; tried/],
];

describe("an object store's error", () => {
  for (const [isTemporary, cases] of [
    [false, STAYS],
    [true, PASSES],
  ] as const)
    for (const [what, status, body, code, message] of cases)
      it(`is understood, and ${isTemporary ? "asked about again" : "told at once"}: ${what}`, async (t) => {
        const store = await scriptedStore(t, (_asked, socket) => {
          socket.write(`${head(status, { "content-length": Buffer.byteLength(body) })}${body}`);
        });
        await assert.rejects(
          fetchFrom(`${store.url}/model?X-Amz-Signature=s3cret`),
          (error: Error & { code?: string }) => {
            assert.equal(error.code, code);
            assert.match(error.message, message);
            assert.doesNotMatch(error.message, /s3cret/);
            return true;
          },
        );
        assert.equal(store.asked.length, isTemporary ? 5 : 1);
      });

  it("is told to those who give credentials as theirs", async (t) => {
    const store = await scriptedStore(t, (_asked, socket) => {
      const body = xml("ExpiredToken");
      socket.write(`${head(400, { "content-length": body.length })}${body}`);
    });
    const message = /the token has expired; renew it in the Secret of spec\.model\.credentials/;
    await assert.rejects(fetchFrom(`${store.url}/model`, { authorization: "Bearer t" }), { message });
  });

  it("is read as far as its beginning, and never waited for", async (t) => {
    const long = await scriptedStore(t, (_asked, socket) => {
      socket.write(`${head(403, { "content-length": 10 ** 9 })}${xml("ExpiredToken")}`);
      socket.write(Buffer.alloc(64 * 1024, " "));
    });
    await assert.rejects(fetchFrom(`${long.url}/model`), { message: /403 \(ExpiredToken\)/ });
    const cut = await scriptedStore(t, (_asked, socket) => {
      socket.write(`${head(403, { "content-length": 10 ** 6 })}${xml("ExpiredToken")}`);
      socket.end();
    });
    await assert.rejects(fetchFrom(`${cut.url}/model`), { code: "ModelForbidden" });
  });

  it("shows nothing of a body but codes that are known: whoever chooses the URI must not read what a host answers", () => {
    assert.equal(
      readStoreError(JSON.stringify({ kind: "Status", message: "secrets is forbidden", code: 403 }), undefined),
      undefined,
    );
    assert.equal(readStoreError(xml("S3cretOfSomebody", "Request has expired"), undefined), undefined);
    assert.equal(readStoreError("{", undefined), undefined);
    assert.equal(readStoreError("[]", undefined), undefined);
    assert.equal(readStoreError(xml("InvalidRequest", "whatever"), undefined), undefined);
    assert.deepEqual(readStoreError("", "BlobNotFound"), { code: "BlobNotFound", meaning: "missing" });
    assert.deepEqual(readStoreError(JSON.stringify({ __type: "ExpiredTokenException" }), undefined), {
      ...{ code: "ExpiredTokenException", meaning: "expired" },
    });
  });
});

describe("Retry-After", () => {
  const now = Date.parse("Sun, 29 Nov 2026 10:00:00 GMT");

  it("is seconds, or a date in any of its three forms", () => {
    for (const [value, ms] of [
      ["0", 0],
      ["120", 120_000],
      [" 7 ", 7000],
      ["Sun, 29 Nov 2026 10:00:30 GMT", 30_000],
      ["Sunday, 29-Nov-26 10:00:30 GMT", 30_000],
      ["Sun Nov 29 10:00:30 2026", 30_000],
      ["Sun, 29 Nov 2026 09:00:00 GMT", 0],
    ] as const)
      assert.equal(parseRetryAfter(value, now), ms, value);
    for (const value of [undefined, "", "-1", "1.5", "soon", "1e3", "2026-11-29", "Sun, 99 Nov 2026 10:00:30 GMT"])
      assert.equal(parseRetryAfter(value, now), undefined, String(value));
  });

  const waitsFor = async (t: Parameters<typeof scriptedStore>[0], status: number, fields: Record<string, string>) => {
    const store = await scriptedStore(t, (_asked, socket, count) => {
      if (count === 1) socket.write(head(status, { "content-length": 0, ...fields }));
      else socket.write(`${head(200, { "content-length": 1 })}x`);
    });
    return (await fetchFrom(`${store.url}/model`)).waits;
  };

  it("is waited for, as far as a pod that starts can, and never less than without it", async (t) => {
    for (const status of [408, 425, 429, 500, 502, 503, 504])
      assert.deepEqual(await waitsFor(t, status, { "retry-after": "7" }), [7000], String(status));
    assert.deepEqual(await waitsFor(t, 429, {}), [500]);
    assert.deepEqual(await waitsFor(t, 429, { "retry-after": "0" }), [500]);
    assert.deepEqual(await waitsFor(t, 503, { "retry-after": "3600" }), [120_000]);
    const date = "Sun, 29 Nov 2026 10:00:00 GMT";
    // by the clock of the server, whatever ours says
    assert.deepEqual(await waitsFor(t, 503, { date, "retry-after": "Sun, 29 Nov 2026 10:00:09 GMT" }), [9000]);
  });
});
