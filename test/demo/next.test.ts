import assert from "node:assert/strict";
import { test } from "node:test";
import { type Command, parseCommandLine } from "../cluster/command-line.ts";
import { nextCommands } from "./next.ts";

const at = { kubeconfig: "/var/lib/kubeconfig", namespace: "berth-demo" };

/** As a shell hands them to the program: without what comes after "#". */
const commandsOf = (name: string) =>
  nextCommands({ ...at, name })
    .filter((line) => line.startsWith("npm run -s cluster -- "))
    .map((line) => line.slice("npm run -s cluster -- ".length).replace(/ +#.*$/, ""))
    .map((line) => parseCommandLine(line.split(" ")));

const nameOf = (command: Command): string | undefined => {
  if ("name" in command) return command.name;
  return command.do === "down" && command.which !== "every" ? command.which.name : undefined;
};

test("every command is for the cluster of the demo, whatever its name", () => {
  for (const name of ["berth", "other"])
    assert.deepEqual(
      commandsOf(name).map((command) => [command.do, nameOf(command)]),
      [
        ["kubectl", name],
        ["kubectl", name],
        ["devices", name],
        ["down", name],
      ],
    );
  assert.deepEqual(commandsOf("other")[0], {
    ...{ do: "kubectl", name: "other" },
    command: ["get", "mdeploy", "-n", "berth-demo", "-o", "wide"],
  });
});

test("on a cluster of the user's own, kubectl does it all", () => {
  const lines = nextCommands({ ...at, name: undefined });
  assert.ok(lines.every((line) => !line.includes("npm run")));
  assert.equal(lines.at(-1), "kubectl delete namespace berth-demo");
});
