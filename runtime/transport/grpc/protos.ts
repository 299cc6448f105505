/** What the .proto files say, read when it is first needed: the hot methods bring encodings of their own. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { PackageDefinition, ServiceDefinition } from "@grpc/proto-loader";
import type { Bound } from "./call.ts";
import type { Codec, GrpcService } from "./types.ts";

export type Protos = {
  definitions(): Promise<PackageDefinition>;
  /** How messages of a method are encoded. */
  codecOf(service: GrpcService, method: string): Pick<Bound, "codec" | "loadCodec">;
};

/** All at once, since reflection wants one description of each package. That takes about 100 ms, once. */
export const loadProtos = (services: readonly GrpcService[]): Protos => {
  let loading: Promise<PackageDefinition> | undefined;
  const load = async (): Promise<PackageDefinition> => {
    const files = [...new Set(services.flatMap(({ protoFiles }) => protoFiles.map((file) => fileURLToPath(file))))];
    const includeDirs = [...new Set(files.map((file) => dirname(file)))];
    const loader = await import("@grpc/proto-loader");
    return loader.load(files, {
      keepCase: true,
      longs: String,
      enums: String,
      defaults: true,
      oneofs: true,
      includeDirs,
    });
  };
  const definitions = (): Promise<PackageDefinition> => {
    loading ??= load();
    return loading;
  };

  return {
    definitions,
    codecOf: ({ name, codecs }, method) => {
      let known = codecs?.[method];
      const loadCodec = async (): Promise<Codec> => {
        known ??= (await definitions().then((all) => serviceOf(all, name)))[method];
        if (known === undefined) throw new Error(`the .proto files of ${name} have no method ${method}`);
        return known;
      };
      return { codec: () => known, loadCodec };
    },
  };
};

const serviceOf = (definitions: PackageDefinition, name: string): ServiceDefinition => {
  const found = definitions[name];
  if (found === undefined || "format" in found) throw new Error(`the .proto files of ${name} do not define it`);
  return found;
};
