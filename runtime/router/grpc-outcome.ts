/** What a gRPC status amounts to as one of HTTP, so that both are counted and replayed by one rule. */
import { STATUS } from "../transport/grpc/status.ts";

/** DATA_LOSS, which this server never answers with. */
const DATA_LOSS = 15;
const FAULTS: ReadonlySet<number> = new Set([STATUS.UNKNOWN, STATUS.INTERNAL, STATUS.UNAVAILABLE, DATA_LOSS]);

/**
 * Those that are the server's fault become 503; a deadline that has passed is 504. A method that a server does not have is 404: whether it
 * should have it is known by what stable says. RESOURCE_EXHAUSTED is a message that is too large, or a server that is
 * overloaded: only in that case it says when to come back.
 *
 * @param status the value of `grpc-status`; undefined where the call ended without one
 */
export const grpcOutcome = (status: string | undefined, saysWhenToComeBack: boolean): number => {
  if (status === undefined || !/^\d{1,2}$/.test(status)) return 502;
  const code = Number(status);
  if (code === STATUS.OK) return 200;
  if (code === STATUS.DEADLINE_EXCEEDED) return 504;
  if (code === STATUS.UNIMPLEMENTED) return 404;
  if (FAULTS.has(code) || (code === STATUS.RESOURCE_EXHAUSTED && saysWhenToComeBack)) return 503;
  return 400;
};
