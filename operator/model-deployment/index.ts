export { modelDeploymentController } from "./reconcile.ts";
