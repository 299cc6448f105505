import type { ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import { AS_BYTES } from "./as-bytes.ts";
import type { Bound } from "./call.ts";
import { callsOf } from "./count.ts";
import { linkable } from "./descriptors.ts";
import { CallError, STATUS } from "./status.ts";
import type { StreamCall, StreamListener, StreamMethod } from "./types.ts";

type Loaded = { definition: ServiceDefinition; implementation: UntypedServiceImplementation };

/**
 * Server reflection, v1 and v1alpha, by path. It is built when a client first asks for it, which few ever do: the package
 * and its indexes take about 100 ms.
 */
export const createReflection = (
  definitions: () => Promise<PackageDefinition>,
  services: readonly string[],
): Map<string, Bound> => {
  let loading: Promise<Map<string, Loaded>> | undefined;
  const paths = ["v1", "v1alpha"].map((version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`);
  return new Map(
    paths.map((path): [string, Bound] => {
      const load = async (): Promise<Loaded | undefined> => {
        loading ??= definitions().then((all) => loadAll(all, services));
        return (await loading).get(path);
      };
      const method: StreamMethod<Buffer> = { open: (call) => reflect(call, load) };
      return [path, { method, calls: callsOf(path), codec: () => AS_BYTES, loadCodec: async () => AS_BYTES }];
    }),
  );
};

const loadAll = async (definitions: PackageDefinition, services: readonly string[]): Promise<Map<string, Loaded>> => {
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

/** The package's handler wants a stream of messages; `call` is one of bytes, which waits until the package is there. */
const reflect = (call: StreamCall, load: () => Promise<Loaded | undefined>): StreamListener<Buffer> => {
  let onMessage: ((bytes: Buffer) => void) | undefined;
  let onEnd: (() => void) | undefined;
  const begin = (loaded: Loaded | undefined): void => {
    const method = loaded?.definition.ServerReflectionInfo;
    const handler = loaded?.implementation.ServerReflectionInfo;
    if (method === undefined || handler === undefined) throw new Error("@grpc/reflection has no ServerReflectionInfo");
    const messages = {
      on: (event: string, listener: (message?: unknown) => void) => {
        if (event === "end") onEnd = listener;
        if (event !== "data") return;
        onMessage = (bytes) => {
          let message: unknown;
          try {
            message = method.requestDeserialize(bytes);
          } catch {
            throw new CallError(STATUS.INVALID_ARGUMENT, "the message is not a ServerReflectionRequest");
          }
          listener(message);
        };
      },
      write: (message: unknown) => call.write(method.responseSerialize(message)),
      end: call.end,
    };
    Reflect.apply(handler, undefined, [messages]);
  };
  call.pause();
  load()
    .then(begin)
    .then(call.resume)
    .catch((error: unknown) => {
      const details = error instanceof Error ? error.message : String(error);
      call.fail({ code: STATUS.INTERNAL, details: `reflection failed: ${details}` });
    });
  return { message: (bytes) => onMessage?.(bytes), end: () => onEnd?.() };
};
