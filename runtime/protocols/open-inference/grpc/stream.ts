import type { EachMethod, UnaryCall } from "../../../transport/grpc/types.ts";
import { type InferRequest, type Parameters, peekRequest } from "./request.ts";
import type { InferResponse, StreamResponse } from "./response.ts";

export type Asked = { request: InferRequest; response: Promise<InferResponse> };

/**
 * ModelStreamInfer: each request is answered as by ModelInfer, in the order of the requests, and a failure is told in its message, so
 * that the stream goes on.
 */
export const streamInfer = (
  infer: (message: Buffer, call: UnaryCall) => Asked,
  describe: (error: unknown) => string,
): EachMethod<Buffer> => ({
  answer: (message, call) => {
    const { request, response } = infer(message, call);
    const final = wantsFinal(request.parameters);
    return response.then((answered): StreamResponse => ({ error: "", response: answered, final }));
  },
  refusal: (message) => {
    const { id, parameters } = peekRequest(message);
    const final = wantsFinal(parameters);
    return (error): StreamResponse => ({ error: describe(error), response: { id, outputs: [] }, final });
  },
});

const wantsFinal = (parameters: Parameters): boolean => parameters.get("triton_enable_empty_final_response") === true;
