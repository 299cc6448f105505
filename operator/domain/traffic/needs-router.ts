/** Which ModelDeployments need the router of their namespace. Pure. */
import { isRoutedBySpec, type ModelDeployment } from "../../api/v1alpha1/index.ts";

/** It needs the router by its spec, or clients may still reach it there: then it has a table. */
export const needsRouter = ({ metadata, spec, status }: ModelDeployment): boolean =>
  metadata.deletionTimestamp === undefined && (isRoutedBySpec(spec) || status?.traffic !== undefined);
