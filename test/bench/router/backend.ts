/** What the proxies of the bench pass requests to: an answer of the size that inference has, at next to no cost. Argument: its port. */
import { createHttpServer } from "../../../runtime/transport/http/index.ts";

const MAX_BODY = 4 * 1024 ** 2;
const answer = JSON.stringify({
  model_name: "digits",
  model_version: "1",
  outputs: [
    { name: "probabilities", datatype: "FP32", shape: [1, 10], data: Array.from({ length: 10 }, (_, i) => i / 45) },
  ],
});
const respond = () => ({ status: 200, headers: { "content-type": "application/json" }, parts: [answer] });

const server = createHttpServer(
  [{ paths: new Map([["/v2/models/digits/infer", { POST: respond, GET: respond }]]), explain: () => undefined }],
  { maxBodyBytes: MAX_BODY, maxBufferedBytes: 64 * MAX_BODY, maxConnectionAgeMs: 3_600_000 },
  { error: ({ err }) => console.error(err) },
);
await server.listen(Number(process.argv[2]), "127.0.0.1");
