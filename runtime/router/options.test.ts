import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../command-line/values.ts";
import { parseRouteOptions } from "./options.ts";

const CLUSTER = { KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "6443" };
const parse = (
  args: string[],
  environment: Record<string, string> = CLUSTER,
  namespace: string | undefined = "models",
) => parseRouteOptions(args, false, environment, () => namespace);

test("route: in a pod, all follows from where it runs", () => {
  const options = parse([]);
  assert.ok(options !== "help");
  const { apiServer, caFile, drainTimeoutMs, namespace, tokenFile } = options;
  assert.deepEqual([namespace, apiServer, drainTimeoutMs], ["models", "https://10.96.0.1:6443", 100_000]);
  assert.match(caFile ?? "", /serviceaccount\/ca.crt$/);
  assert.match(tokenFile ?? "", /serviceaccount\/token$/);
});

test("route: elsewhere, the API server and the namespace are given", () => {
  const options = parse(["--api-server", "http://127.0.0.1:8001", "--namespace", "a"], {}, undefined);
  assert.ok(options !== "help");
  assert.deepEqual(
    [options.apiServer, options.caFile, options.tokenFile],
    ["http://127.0.0.1:8001", undefined, undefined],
  );
});

test("route: a bad option is refused in one line that says what to do", () => {
  const bad: [() => unknown, RegExp][] = [
    [() => parseRouteOptions([], false, {}, () => undefined), /--namespace is missing/],
    [() => parse(["--namespace", "A_b"]), /"A_b" is not the name of a namespace/],
    [() => parse([], {}), /--api-server: give the URL/],
    [() => parse(["--max-waiting", "lots"]), /--max-waiting: "lots" is not a size/],
    [() => parse(["--max-outstanding", "0"]), /--max-outstanding/],
    [() => parse(["--trust-forwarded", "10.0.0.0/40"]), /--trust-forwarded: "10.0.0.0\/40" must be none, all, or/],
    [() => parse(["--max-streams", "none"]), /--max-streams: "none" is not a whole number/],
    [() => parse(["--colour"]), /--colour/],
  ];
  for (const [act, message] of bad)
    assert.throws(act, (error) => error instanceof UsageError && message.test(error.message));
  assert.equal(parse(["--help"]), "help");
});

test("route: whose word on whom they speak for counts", () => {
  const trusted = (args: string[]): boolean[] => {
    const options = parse(args);
    assert.ok(options !== "help");
    return ["10.1.1.1", "fd00::1", "127.0.0.1"].map(options.isTrusted);
  };
  assert.deepEqual(trusted([]), [false, false, false]);
  assert.deepEqual(trusted(["--trust-forwarded", "none"]), [false, false, false]);
  assert.deepEqual(trusted(["--trust-forwarded", "all"]), [true, true, true]);
  assert.deepEqual(trusted(["--trust-forwarded", "10.0.0.0/8, fd00::1"]), [true, true, false]);
});
