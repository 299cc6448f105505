/** A ModelDeployment whose number of pods follows the load, for the files that test that. */
import { type Burst, burst } from "../world/burst.ts";
import { type Seen, waitFor } from "../world/model-deployment.ts";
import { PATIENCE_MS } from "../world/patience.ts";
import { modelDeployment, useWorld } from "./world.ts";

const NAME = "scaled";
/** On a busy machine pods take long to wake up, and then to answer: requests may take as long as the clients wait. */
const patient = {
  traffic: { queue: { maxWait: `${PATIENCE_MS}ms` } },
  server: { requestTimeout: `${PATIENCE_MS}ms` },
};

/** The functions that it returns may be called inside tests only. */
export const useScaledModel = (name: string) => {
  const { world, namespace } = useWorld(name);
  const key = { namespace, name: NAME };
  const url = `http://${NAME}.${namespace}.svc/v2/models/${NAME}/infer`;
  return {
    ...{ world, namespace, key },
    applied: (scaling: object, spec: object = {}): Promise<string> => {
      const model = { uri: "http://models.berth-models.svc:8080/lookup-slow.onnx" };
      return world().apply([modelDeployment(NAME, { model, scaling, ...patient, ...spec })], namespace);
    },
    seen: (what: string, holds: (object: Seen) => boolean): Promise<Seen> => waitFor(world().cluster, key, what, holds),
    load: (options: Omit<Burst, "url">) => burst(world().cluster, { url, ...options }),
  };
};
