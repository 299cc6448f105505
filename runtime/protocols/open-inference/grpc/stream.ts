import type { Inference } from "../../../inference/index.ts";
import type { StreamCall, StreamListener } from "../../../transport/grpc/types.ts";
import { decodeRequest } from "./request.ts";
import type { Outputs, StreamResponse } from "./response.ts";

/** So many requests of one stream are worked on at a time; then no more are read, and the client has to wait. */
const MAX_IN_FLIGHT = 8;

export type Started = { id: string; inference: Inference; outputs: (all: Awaited<Inference["result"]>) => Outputs };

/**
 * ModelStreamInfer: each request is answered by one message, in the order of the requests, and a failure is told in its
 * message, so that the stream goes on.
 */
export const streamInfer = (
  call: StreamCall,
  start: (request: ReturnType<typeof decodeRequest>) => Started,
  describe: (error: unknown) => string,
): StreamListener<Buffer> => {
  const running = new Set<Inference>();
  let inFlight = 0;
  let ended = false;
  let gone = false;
  let written = Promise.resolve();
  let onRoom: (() => void) | undefined;

  const answer = async (bytes: Buffer): Promise<StreamResponse> => {
    let id = "";
    let inference: Inference | undefined;
    let final = false;
    try {
      const request = decodeRequest(bytes);
      id = request.id;
      final = request.parameters.get("triton_enable_empty_final_response") === true;
      const started = start(request);
      inference = started.inference;
      running.add(inference);
      return { error: "", response: { id, outputs: started.outputs(await inference.result) }, final };
    } catch (error) {
      return { error: describe(error), response: { id, outputs: [] }, final };
    } finally {
      if (inference !== undefined) running.delete(inference);
    }
  };

  const write = async (response: StreamResponse): Promise<void> => {
    if (!gone && !call.write(response)) {
      await new Promise<void>((resolve) => {
        onRoom = resolve;
      });
    }
    inFlight--;
    if (gone) return;
    if (ended && inFlight === 0) call.end();
    else call.resume();
  };

  return {
    message: (bytes) => {
      inFlight++;
      if (inFlight >= MAX_IN_FLIGHT) call.pause();
      const answered = answer(bytes);
      written = written.then(async () => write(await answered));
    },
    drained: () => onRoom?.(),
    end: () => {
      ended = true;
      if (inFlight === 0) call.end();
    },
    cancelled: () => {
      gone = true;
      for (const inference of running) inference.cancel();
      onRoom?.();
    },
  };
};
