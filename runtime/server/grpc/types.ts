import type { UntypedServiceImplementation } from "@grpc/grpc-js";

/** One gRPC service: where it is defined, and what answers. */
export type GrpcService = {
  /** Full name, such as "inference.GRPCInferenceService". */
  name: string;
  /**
   * The .proto files that define it; imports are resolved beside each. Messages are plain objects: fields are named as in
   * the file, 64-bit numbers are strings (numbers are taken too), enums their names, bytes Buffers, absent fields their
   * defaults.
   */
  protoFiles: readonly URL[];
  /** Methods by their names in the .proto file. */
  implementation: UntypedServiceImplementation;
  /** Own encodings of some methods, in place of those that the .proto files give. */
  codecs?: Record<string, Codec>;
};

export type Codec = {
  requestDeserialize(bytes: Buffer): unknown;
  /** Of what the method's handler answers with. */
  responseSerialize(response: unknown): Buffer;
};
