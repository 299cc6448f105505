import assert from "node:assert/strict";
import { test } from "node:test";
import { help, parseCommandLine, UsageError } from "./command-line.ts";

const parse = (line: string) => parseCommandLine(line.split(" ").filter((word) => word !== ""));

test("commands are read with their options and arguments", () => {
  const cases: [string, unknown][] = [
    ["", { do: "help" }],
    ["up --help", { do: "help" }],
    ["up", { do: "up", options: { name: "berth" } }],
    ["up --nodes 3 --name dev1 --devices 0", { do: "up", options: { name: "dev1", nodes: 3, devices: 0 } }],
    ["up --families ipv6,ipv4", { do: "up", options: { name: "berth", families: "ipv6,ipv4" } }],
    ["down --all", { do: "down", which: "every" }],
    ["down --name x", { do: "down", which: { name: "x" } }],
    ["down --name all", { do: "down", which: { name: "all" } }],
    ["load a.tar b.tar", { do: "load", name: "berth", archives: ["a.tar", "b.tar"] }],
    ["logs", { do: "logs", name: "berth", query: {} }],
    [
      "logs kubelet --node 1 --tail 5",
      { do: "logs", name: "berth", query: { component: "kubelet", node: 1, tail: 5 } },
    ],
    ["crash etcd", { do: "crash", name: "berth", component: "etcd", node: 0 }],
    ["revive kubelet 1", { do: "revive", name: "berth", component: "kubelet", node: 1 }],
    ["power 1 off", { do: "power", name: "berth", node: 1, state: "off" }],
    ["link 1 up", { do: "link", name: "berth", node: 1, state: "up" }],
    ["devices 0 4 2", { do: "devices", name: "berth", node: 0, count: 4, unhealthy: 2 }],
    ["devices 0 4", { do: "devices", name: "berth", node: 0, count: 4, unhealthy: 0 }],
  ];
  for (const [line, expected] of cases) assert.deepEqual(parse(line), expected, line);
});

test("what follows kubectl and run is theirs, options included", () => {
  assert.deepEqual(parse("--name dev1 kubectl get pods --name x -h"), {
    do: "kubectl",
    name: "dev1",
    command: ["get", "pods", "--name", "x", "-h"],
  });
  for (const line of ["kubectl --name dev1 get pods", "kubectl --name=dev1 get pods", "--name=dev1 kubectl get pods"])
    assert.deepEqual(parse(line), { do: "kubectl", name: "dev1", command: ["get", "pods"] }, line);
  assert.deepEqual(parse("kubectl --name dev1 expose service a --name b"), {
    do: "kubectl",
    name: "dev1",
    command: ["expose", "service", "a", "--name", "b"],
  });
  assert.deepEqual(parse("run --name dev1 node --test"), { do: "run", name: "dev1", command: ["node", "--test"] });
  assert.throws(() => parse("kubectl --name"), UsageError);
  assert.deepEqual(parse("run node --test"), { do: "run", name: "berth", command: ["node", "--test"] });
  assert.deepEqual(parse("status --name run"), { do: "status", name: "run" });
});

test("what cannot be understood is refused with the way to do it", () => {
  const cases: [string, RegExp][] = [
    ["fly", /no command "fly": see/],
    ["up --fly", /'--fly'/],
    ["up --nodes", /--nodes/],
    ["up --nodes two", /--nodes "two" is not a whole number; usage: .* up \[--nodes N\]/],
    ["up 2", /usage: .* up/],
    ["status --nodes 2", /status has no option --nodes/],
    ["down --tail 2", /down has no option --tail/],
    ["load", /usage: .* load IMAGE.tar/],
    ["power 1 maybe", /"maybe" is not on or off/],
    ["power one off", /NODE "one" is not a whole number/],
    ["devices 1 -1", /./],
    ["run", /usage: .* run/],
  ];
  for (const [line, message] of cases) {
    assert.throws(
      () => parse(line),
      (error) => error instanceof UsageError && message.test(error.message),
      line,
    );
  }
});

test("the help names every command and says that the devices are not real", () => {
  const names = "up down build kubeconfig kubectl run load status logs crash revive power link devices".split(" ");
  for (const name of names) assert.match(help, new RegExp(`^  ${name} `, "m"), name);
  assert.match(help, /NOT real GPUs/);
});
