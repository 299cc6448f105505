/** Which revision serves, which is to take over, and which are on their way out. */

import type { Reason } from "../../api/v1alpha1/index.ts";
import type { Revision } from "./revision.ts";

/** Why the spec cannot be followed at all. */
export type Refusal = { reason: Reason; message: string };

export type Roles = {
  /** The revision of the current spec, if there is no ControllerRevision of it yet: it is to be stored first. */
  unrecorded?: Revision;
  /** Run without a ControllerRevision, and can be stored again. */
  restorable: Revision[];
  /** Serves, and was promoted. */
  stable?: Revision;
  /** Is to take over from stable when it is ready. */
  candidate?: Revision;
  /** All others. */
  superseded: Revision[];
  refusal?: Refusal;
  /** The revision of the current spec, which was tried and is not taken. It is among the superseded ones, if it is there. */
  rejected?: { name: string; message: string };
};
