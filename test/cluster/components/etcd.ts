import { join } from "node:path";
import { answers, type Component, flags } from "./component.ts";

const client = "http://127.0.0.1:2379";
const peer = "http://127.0.0.1:2380";

export const etcd: Component = {
  name: "etcd",
  place: "control plane",
  command: (plan, _node, { machine }) => [
    machine,
    "etcd",
    ...flags({
      "data-dir": join(plan.directory, "etcd"),
      "listen-client-urls": client,
      "advertise-client-urls": client,
      "listen-peer-urls": peer,
      // The data need not survive a power cut of the host, and a sync for every write is what would be slow.
      "unsafe-no-fsync": true,
      "log-level": "warn",
    }),
  ],
  probe: answers(2379, "/health"),
};
