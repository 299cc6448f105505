/** Chapter 0: the server without a cluster, on this machine. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { z } from "zod";
import { angleInWords } from "../../examples/picture.ts";
import { freePort } from "../world/free-port.ts";
import { ROOT } from "../world/index.ts";
import { untilReady } from "../world/ready.ts";
import { ANGLE_FILE, inferBody, question } from "../world/reference.ts";
import type { Story } from "./story.ts";

const reply = z.object({ outputs: z.array(z.object({ data: z.array(z.number()) })) });

export const serveAlone = async (story: Story): Promise<void> => {
  const [http, admin] = await Promise.all([freePort(), freePort()]);
  story.command(`npm run serve -- --model …/${ANGLE_FILE.split("/").at(-1)} --name angle --http-port ${http}`);
  const server = spawn(
    process.execPath,
    [
      ...[join(ROOT, "runtime/main.ts"), "serve", "--model", ANGLE_FILE, "--name", "angle"],
      ...["--http-port", `${http}`, "--admin-port", `${admin}`],
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  try {
    const address = `http://127.0.0.1:${http}`;
    await untilReady(`${address}/v2/health/ready`);
    const { upright, upsideDown } = await question(192);
    for (const [title, input] of [
      ["as it is", upright],
      ["turned over", upsideDown],
    ] as const) {
      const answer = await fetch(`${address}/v2/models/angle/infer`, {
        method: "POST",
        body: inferBody(input),
      });
      const [output] = reply.parse(await answer.json()).outputs;
      story.line(`examples/pictures/heading.png, ${title}: the model says ${angleInWords(output?.data ?? [])}`);
    }
  } finally {
    server.kill("SIGTERM");
    await ended;
  }
};
