import type { RequestErrorCode } from "../../errors/request-error.ts";
import type { InferenceCall, Model } from "../../inference/index.ts";
import type { Tensor } from "../../tensors/index.ts";

// What the door and the thread beside it tell each other. Both are threads of one process and of one version.

export type Outputs = ReadonlyMap<string, Tensor>;
/** An inference that was done already, and what it gave. */
export type Done = { call: InferenceCall; outputs: Outputs };

export type ThreadStart = {
  model: Model;
  serverVersion: string;
  maxTensorBytes: number;
  /** Of the door's clock, in which all times are. */
  timeOrigin: number;
};

/** A request that is to be answered. `id` is its own. */
export type Asked =
  | {
      kind: "http";
      path: string;
      query: string;
      headers: Readonly<Record<string, string | undefined>>;
      body: Uint8Array;
      done: Done | undefined;
    }
  | { kind: "grpc"; path: string; message: Uint8Array; deadline: number; done: Done | undefined };

/** `run`: which of the request's inferences, for one may need several. */
export type ToThread =
  | { type: "ask"; id: number; asked: Asked }
  | { type: "outputs"; id: number; run: number; outputs: Outputs }
  | { type: "failed"; id: number; run: number; error: TellableError }
  | { type: "gone"; id: number };

export type FromThread =
  | { type: "infer"; id: number; run: number; call: InferenceCall }
  | { type: "cancel"; id: number; run: number }
  | { type: "response"; id: number; response: Response }
  | { type: "refused"; id: number; error: TellableError }
  /** What was asked, or told of an inference, has been dealt with as far as it goes. */
  | { type: "turned"; id: number };

export type Response =
  | { kind: "http"; status: number; headers: Record<string, string>; parts: readonly (string | Uint8Array)[] }
  | { kind: "grpc"; message: Uint8Array };

/** An error as data, since a thread gets no more of one than its message. */
export type TellableError =
  | { kind: "request"; code: RequestErrorCode; message: string; retryAfterSeconds: number | undefined }
  | { kind: "status"; code: number; message: string }
  | { kind: "other"; message: string };
