/** A server and a router before it where there is no IPv4 at all: started by ipv6.test.ts, tells in one line of JSON what it was answered. */
import { connect } from "node:http2";
import { ANGLE_MODEL } from "../../runtime/models.ts";
import { startServer } from "../../runtime/server.ts";
import { framed } from "../../world/grpc.ts";
import { INPUT, inferBody, question } from "../../world/reference.ts";
import { startRouter } from "../../world/router.ts";

const HOST = "::1";
const ends: (() => Promise<void>)[] = [];
const server = startServer({ after: (end) => void ends.push(end) }, ANGLE_MODEL, ["--host", "::", "--shards", "1"]);
await server.ready;
const portOf = (address: string): number => Number(address.split(":").at(-1));
const ports = { http: server.httpPort(), grpc: portOf(server.grpc()), admin: portOf(server.admin("")) };
const example = await startRouter([ports], {}, { listens: "::", pods: HOST });

const { upright } = await question(192);
const overHttp = async (port: number): Promise<number> => {
  const reply = await fetch(`http://[${HOST}]:${port}/v2/models/m/infer`, { method: "POST", body: inferBody(upright) });
  await reply.text();
  return reply.status;
};
const overGrpc = async (port: number): Promise<string> => {
  const session = connect(`http://[${HOST}]:${port}`);
  // Node takes the brackets of an address away
  const headers = {
    ":authority": `[${HOST}]:${port}`,
    ":method": "POST",
    ":path": "/inference.GRPCInferenceService/ModelInfer",
    te: "trailers",
  };
  const stream = session.request({ ...headers, "content-type": "application/grpc" });
  const status = await new Promise<string>((resolve, reject) => {
    let told = "none";
    // what is refused has its status in its only header
    const note = (fields: Record<string, unknown>): void => {
      told = String(fields["grpc-status"] ?? told);
    };
    session.on("error", reject);
    stream.on("response", note).on("trailers", note).on("error", reject);
    stream.on("close", () => resolve(told));
    stream.resume().end(framed("m", { name: INPUT, ...upright }));
  });
  session.destroy();
  return status;
};
const statusz = await fetch(`http://[${HOST}]:${ports.admin}/statusz`);
const ipv4 = await fetch(`http://127.0.0.1:${ports.http}/v2`).then(
  () => "answered",
  () => "none",
);
console.log(
  JSON.stringify({
    ipv4,
    server: [await overHttp(ports.http), await overGrpc(ports.grpc), statusz.status],
    router: [await overHttp(example.port), await overGrpc(example.port)],
  }),
);
example.close();
await Promise.all(ends.map((end) => end()));
process.exit(0);
