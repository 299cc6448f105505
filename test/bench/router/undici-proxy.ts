/** What one would write in an afternoon: node:http in front of undici's dispatch, 90 to 10 by chance. Arguments: its port, two backends'. */
import { createServer } from "node:http";
import { Pool } from "undici";

const [port = 0, stable = 0, canary = 0] = process.argv.slice(2).map(Number);
const pools = [stable, canary].map((to) => new Pool(`http://127.0.0.1:${to}`, { connections: 256, pipelining: 1 }));
const HOP = new Set(["connection", "keep-alive", "transfer-encoding", "host"]);

createServer((request, response) => {
  const pool = pools[Math.random() < 0.1 ? 1 : 0];
  const headers = Object.entries(request.headers).filter(([name]) => !HOP.has(name));
  const options = {
    path: request.url ?? "/",
    method: "POST" as const,
    headers: headers.flatMap(([name, value]) => [name, String(value)]),
    body: request,
  };
  pool?.dispatch(options, {
    onRequestStart: () => undefined,
    onResponseStart(_controller, status, answered) {
      const kept = Object.entries(answered).filter(([name]) => !HOP.has(name));
      response.writeHead(status, Object.fromEntries(kept.map(([name, value]) => [name, String(value)])));
    },
    onResponseData: (_controller, piece) => {
      response.write(piece);
    },
    onResponseEnd: () => {
      response.end();
    },
    onResponseError: () => {
      response.destroy();
    },
  });
}).listen(port, "127.0.0.1");
