import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { listenAddress } from "./listen-address.ts";

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));

describe("a port on ::", () => {
  for (const host of ["127.0.0.1", ...(hasIpv6 ? ["::1"] : [])]) {
    it(`is reached at ${host}`, async () => {
      const server = createServer((socket) => socket.end("here")).listen({ port: 0, ...listenAddress("::") });
      await once(server, "listening");
      const address = server.address();
      assert.ok(typeof address === "object" && address !== null);
      const socket = connect(address.port, host).setEncoding("utf8");
      const [said] = await once(socket, "data");
      assert.equal(said, "here");
      socket.destroy();
      server.close();
    });
  }

  it("is opened where there is no IPv6", async () => {
    // a program in which each bind to an IPv6 address fails, as on a kernel that was started with ipv6.disable=1
    const program = `
      const { TCP } = process.binding("tcp_wrap");
      TCP.prototype.bind6 = () => -97; // EAFNOSUPPORT
      const { createServer } = await import("node:net");
      const { listenAddress } = await import(${JSON.stringify(new URL("./listen-address.ts", import.meta.url).href)});
      const server = createServer().listen({ port: 0, ...listenAddress("::") });
      server.on("listening", () => { console.log(server.address().address); server.close(); });
      server.on("error", (error) => { console.log(error.code); });
    `;
    const args = ["--no-deprecation", "--input-type=module", "--eval", program];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    assert.equal(stdout.trim(), "0.0.0.0");
  });

  it("is any other address where one is given", () => {
    assert.deepEqual(listenAddress("127.0.0.1"), { host: "127.0.0.1" });
  });
});
