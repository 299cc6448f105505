import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonError } from "./response.ts";
import { createRouter } from "./router.ts";
import type { Handle } from "./types.ts";

const handle: Handle = () => jsonError(200, "");
const paths = new Map([
  ["/v2/health/live", { GET: handle }],
  ["/v1/models/my model:predict", { POST: handle }],
]);
const router = createRouter([{ paths, explain: () => undefined }]);
const isFound = (method: string, path: string): boolean => router.find(method, path) === handle;

test("a path's segments are decoded once, and what separates them never", () => {
  assert.ok(isFound("GET", "/v2/health/live"));
  assert.ok(isFound("GET", "/v2/health/%6Cive"));
  assert.ok(isFound("POST", "/v1/models/my%20model%3Apredict"));
  for (const path of [
    "/v2%2Fhealth%2Flive",
    "/v2%2fhealth/live",
    "/v2/health%252Flive",
    "/v2/health/%256Cive",
    "/v2/health/live%00",
    "/v2/health/live%2F",
    "/v2/health/live/",
    "//v2/health/live",
    "/v2//health/live",
    "/v2/./health/live",
    "/v2/%2e/health/live",
    "/v2/x/../health/live",
    "/v2/x/%2e%2e/health/live",
    "/v2/health/live;x",
    "/v2/health/live%3Fx",
    "/v2/health/%C1%ACive",
    "/v2/health/%6",
  ])
    assert.equal(isFound("GET", path), false, path);
});
