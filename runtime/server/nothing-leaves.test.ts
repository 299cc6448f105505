import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { ANGLE_MODEL, newDirectory } from "../../test/runtime/models.ts";
import { childrenOf, startServer } from "../../test/runtime/server.ts";

/**
 * onnxruntime 1.29 and later tells its makers of the models that it runs, unless ORT_DISABLE_TELEMETRY says otherwise: it
 * keeps what it is going to send in a file below the home folder. The test sets no such variable, so that only what the
 * server does by itself counts.
 */
const { ORT_DISABLE_TELEMETRY: _, ...inherited } = process.env;

/**
 * What an open file or socket is, as /proc shows it: "socket:[123]", "/dev/null", "anon_inode:[eventpoll]", ...
 * None of a process that has ended, as the one that reads the model's file does of itself.
 */
const openFiles = (pid: number): string[] => {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
      } catch {
        return []; // closed meanwhile
      }
    });
  } catch {
    return [];
  }
};

type Connection = { inode: string; local: string; remote: string; state: string };

/** All TCP and UDP sockets of the network namespace; addresses in the kernel's hexadecimal form. */
const sockets = (): Connection[] =>
  readdirSync("/proc/self/net")
    .filter((kind) => /^(?:tcp|udp)6?$/.test(kind))
    .flatMap((kind) =>
      readFileSync(`/proc/self/net/${kind}`, "utf8")
        .split("\n")
        .slice(1)
        .filter((line) => line !== "")
        .map((line) => {
          const [, local = "", remote = "", state = "", , , , , , inode = ""] = line.trim().split(/\s+/);
          return { inode, local, remote, state: `${kind} ${state}` };
        }),
    );

/** Below the home folder: Node's own cache of our sources, written in the background, and nothing else. */
const OUR_CACHE = /^cache(?:\/berth(?:\/node(?:\/.*)?)?)?$/;

const LISTENING = "0A";
const LOOPBACK = /^(?:0100007F|0000000000000000FFFF00000100007F|00000000000000000000000001000000):/;

test("no telemetry leaves: no file below the home folder, no connection but its clients'", async (t) => {
  const home = newDirectory();
  const env = { ...inherited, HOME: home, XDG_CACHE_HOME: `${home}/cache`, XDG_CONFIG_HOME: `${home}/config` };
  const server = startServer(t, ANGLE_MODEL, ["--shards", "2"], [], env);
  await server.ready;
  const data = JSON.stringify(new Array(3 * 48 * 192).fill(0.5));
  const body = `{"inputs":[{"name":"x","shape":[1,3,48,192],"datatype":"FP32","data":${data}}]}`;
  const answer = await fetch(server.url("/v2/models/m/infer"), { method: "POST", body });
  assert.equal(answer.status, 200, await answer.text());

  const supervisor = server.process.pid ?? assert.fail("it has no pid");
  const processes = [supervisor, ...childrenOf(supervisor)]
    .map((pid) => ({ pid, open: openFiles(pid) }))
    .filter(({ open }) => open.length > 0);
  assert.ok(processes.length >= 3, "the supervisor and two shards");
  for (const { pid, open } of processes) {
    assert.ok(open.length > 3);
    const files = open.filter((name) => name.startsWith("/") && !/^\/(?:dev|proc|memfd:)/.test(name));
    assert.deepEqual(
      files.filter((name) => {
        const isInHome = name.startsWith(`${home}/`) && !OUR_CACHE.test(name.slice(home.length + 1));
        return isInHome || /onnxruntime\.db|Microsoft/.test(name);
      }),
      [],
    );
    const inodes = new Set(open.map((name) => /^socket:\[(\d+)\]$/.exec(name)?.[1]));
    const own = sockets().filter(({ inode }) => inodes.has(inode));
    if (pid !== supervisor) assert.deepEqual(own, [], "a shard has no connection");
    for (const { local, remote, state } of own) {
      assert.match(state, /^tcp6? /);
      if (!state.endsWith(LISTENING)) assert.match(remote, LOOPBACK, `${local} to ${remote}`);
    }
    if (pid === supervisor) assert.ok(own.filter(({ state }) => state.endsWith(LISTENING)).length >= 3);
  }
  const left = readdirSync(home, { recursive: true, encoding: "utf8" });
  assert.deepEqual(
    left.filter((name) => !OUR_CACHE.test(name)),
    [],
  );
});
