import { openCluster } from "./cluster.ts";
import { type Command, help, parseCommandLine, UsageError } from "./command-line.ts";
import { down } from "./down.ts";
import { ClusterError, CommandFailed } from "./errors.ts";
import { checkName, instanceNames } from "./state.ts";
import { describe } from "./status.ts";
import { ensureTools } from "./tools.ts";
import { up } from "./up.ts";

const begun = performance.now();
const seconds = (): string => `${((performance.now() - begun) / 1000).toFixed(1).padStart(6)}s`;
/** Progress goes to standard error: standard output is for what was asked for. */
const report = (line: string): void => console.error(`${seconds()}  ${line}`);

const execute = async (command: Command): Promise<void> => {
  switch (command.do) {
    case "help":
      console.log(help);
      return;
    case "build": {
      const { machine, helm } = await ensureTools(report);
      report(`built: ${machine}, ${helm}`);
      return;
    }
    case "up": {
      const { name } = await up(command.options, report);
      report(`cluster ${name} is up; its devices are not real GPUs, their scheduling is`);
      const option = command.options.name === name && name !== "berth" ? ` --name ${name}` : "";
      report(`next: export KUBECONFIG=$(npm run -s cluster -- kubeconfig${option})`);
      return;
    }
    case "down": {
      const names = command.which === "every" ? instanceNames() : [command.which.name];
      for (const name of names) {
        const there = instanceNames().includes(checkName(name));
        await down(name, report);
        report(there ? `cluster ${name} is gone` : `cluster ${name} was not there`);
      }
      return;
    }
    case "status":
      console.log(await describe(checkName(command.name)));
      return;
    case "kubeconfig":
      console.log(openCluster(command.name).hostKubeconfig);
      return;
    case "load":
      await openCluster(command.name).load(command.archives);
      report(`on every node: ${command.archives.join(", ")}`);
      return;
    case "logs":
      console.log(await openCluster(command.name).logs(command.query));
      return;
    case "kubectl":
      await openCluster(command.name).run(["kubectl", ...command.command], { inherit: true });
      return;
    case "run":
      await openCluster(command.name).run(command.command, { inherit: true });
      return;
    case "crash":
    case "revive":
      await openCluster(command.name)[command.do](command.component, command.node);
      report(`${command.component} on node ${command.node}: ${command.do === "crash" ? "killed" : "serves"}`);
      return;
    case "power":
      await openCluster(command.name).power(command.node, command.state);
      report(`node ${command.node} is ${command.state}`);
      return;
    case "link":
      await openCluster(command.name).link(command.node, command.state);
      report(`the link of node ${command.node} is ${command.state}`);
      return;
    case "devices":
      await openCluster(command.name).devices(command.node, command.count, command.unhealthy);
      report(`node ${command.node} offers ${command.count} device(s), ${command.unhealthy} of them unhealthy`);
      return;
  }
};

let command: Command | undefined;
try {
  command = parseCommandLine(process.argv.slice(2));
  await execute(command);
} catch (error) {
  const passedThrough = command?.do === "kubectl" || command?.do === "run";
  if (error instanceof CommandFailed && passedThrough) {
    process.exitCode = error.code ?? 1; // the program has said itself what is wrong
  } else if (error instanceof ClusterError || error instanceof CommandFailed) {
    console.error(`cluster: ${error.message}`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  } else {
    throw error;
  }
}
