import { RequestError } from "../../errors/request-error.ts";
import { CallError } from "../../transport/grpc/status.ts";
import type { TellableError } from "./messages.ts";

export const tellable = (error: unknown): TellableError => {
  if (error instanceof RequestError) {
    const { code, message, retryAfterSeconds } = error;
    return { kind: "request", code, message, retryAfterSeconds };
  }
  if (error instanceof CallError) return { kind: "status", code: error.status.code, message: error.status.details };
  return { kind: "other", message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
};

export const errorOf = (told: TellableError): Error => {
  if (told.kind === "request") return new RequestError(told.code, told.message, told.retryAfterSeconds);
  if (told.kind === "status") return new CallError(told.code, told.message);
  return new Error(told.message);
};
