import type { Server, ServerDuplexStream, ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import { linkable } from "./descriptors.ts";

type Loaded = { definition: ServiceDefinition; implementation: UntypedServiceImplementation };

/**
 * Server reflection, v1 and v1alpha. Built when a client first asks for it, which few ever do: the package and its indexes
 * cost about 100 ms at the start.
 */
export const addReflection = (server: Server, definitions: PackageDefinition, services: readonly string[]): void => {
  let loading: Promise<Map<string, Loaded>> | undefined;
  const asItIs = (bytes: Buffer): Buffer => bytes;
  for (const version of ["v1", "v1alpha"]) {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    const handle = (call: ServerDuplexStream<Buffer, Buffer>): void => {
      loading ??= load(definitions, services);
      loading
        .then((loaded) => serve(call, loaded.get(path)))
        .catch(() => call.emit("error", Object.assign(new Error("reflection failed"), { code: status.INTERNAL })));
    };
    server.register(path, handle, asItIs, asItIs, "bidi");
  }
};

const load = async (definitions: PackageDefinition, services: readonly string[]): Promise<Map<string, Loaded>> => {
  const { ReflectionService } = await import("@grpc/reflection");
  const loaded = new Map<string, Loaded>();
  new ReflectionService(linked(definitions), { services: [...services] }).addToServer({
    addService: (definition, implementation) => {
      const path = definition.ServerReflectionInfo?.path;
      if (path !== undefined) loaded.set(path, { definition, implementation });
    },
  });
  return loaded;
};

/** The definitions, whose files can be linked. All have the same files. */
const linked = (definitions: PackageDefinition): PackageDefinition => {
  const files =
    Object.values(definitions).flatMap((one) => (isMessage(one) ? [one.fileDescriptorProtos] : []))[0] ?? [];
  const fileDescriptorProtos = linkable(files);
  return Object.fromEntries(
    Object.entries(definitions).map(([name, one]) => [name, isMessage(one) ? { ...one, fileDescriptorProtos } : one]),
  );
};

const isMessage = (one: PackageDefinition[string]): one is Exclude<typeof one, ServiceDefinition> =>
  Array.isArray(one.fileDescriptorProtos);

/** The package's handler wants a stream of messages; `call` is one of bytes. */
const serve = (call: ServerDuplexStream<Buffer, Buffer>, loaded: Loaded | undefined): void => {
  const method = loaded?.definition.ServerReflectionInfo;
  const handler = loaded?.implementation.ServerReflectionInfo;
  if (method === undefined || handler === undefined) throw new Error("@grpc/reflection has no ServerReflectionInfo");
  const messages = {
    on: (event: string, listener: (message?: unknown) => void) => {
      if (event === "end") call.on("end", () => listener());
      if (event !== "data") return;
      call.on("data", (bytes: Buffer) => {
        try {
          listener(method.requestDeserialize(bytes));
        } catch {
          const error = new Error("the message is not a ServerReflectionRequest");
          call.emit("error", Object.assign(error, { code: status.INVALID_ARGUMENT }));
        }
      });
    },
    write: (message: unknown) => call.write(method.responseSerialize(message)),
    end: () => call.end(),
  };
  Reflect.apply(handler, undefined, [messages]);
};
