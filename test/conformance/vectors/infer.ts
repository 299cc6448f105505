/** One inference over HTTP, in the protocol's binary form, which holds every value of every type exactly. */
import { z } from "zod";
import { isDatatype, type Tensor } from "../../../runtime/tensors/index.ts";
import { PATIENCE_MS } from "../../world/patience.ts";
import type { Named } from "./read.ts";

const answer = z.object({
  outputs: z.array(
    z.object({
      name: z.string(),
      datatype: z.string(),
      shape: z.array(z.number()),
      parameters: z.object({ binary_data_size: z.number() }),
    }),
  ),
});

/** @param base http://host:port/v2/models/M. Throws an Error with the server's own words where it does not answer with tensors. */
export const inferOverHttp = async (base: string, inputs: Named): Promise<Named> => {
  const header = Buffer.from(
    JSON.stringify({
      inputs: [...inputs].map(([name, { datatype, shape, bytes }]) => ({
        name,
        datatype,
        shape,
        parameters: { binary_data_size: bytes.byteLength },
      })),
      parameters: { binary_data_output: true },
    }),
  );
  const response = await fetch(`${base}/infer`, {
    method: "POST",
    headers: { "content-type": "application/octet-stream", "inference-header-content-length": String(header.length) },
    body: Buffer.concat([header, ...[...inputs.values()].map(({ bytes }) => bytes)]),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const body = Buffer.from(await response.arrayBuffer());
  if (!response.ok) throw new Error(`${response.status} ${body.toString("utf8", 0, 1000)}`);
  const length = Number(response.headers.get("inference-header-content-length") ?? body.length);
  const { outputs } = answer.parse(JSON.parse(body.toString("utf8", 0, length)));
  const tensors = new Map<string, Tensor>();
  let at = length;
  for (const { name, datatype, shape, parameters } of outputs) {
    if (!isDatatype(datatype)) throw new Error(`output "${name}" has the unknown type ${datatype}`);
    const end = at + parameters.binary_data_size;
    tensors.set(name, { datatype, shape, bytes: body.subarray(at, end) });
    at = end;
  }
  return tensors;
};
