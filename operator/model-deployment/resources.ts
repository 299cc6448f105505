/** The kinds that the reconciler makes or watches, as the client addresses them. */
import type { ConfigMap, ControllerRevision, Deployment, Pod, Resource, Service } from "../kube/objects.ts";

export const DEPLOYMENTS: Resource<Deployment> = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  plural: "deployments",
  namespaced: true,
};
export const CONTROLLER_REVISIONS: Resource<ControllerRevision> = {
  apiVersion: "apps/v1",
  kind: "ControllerRevision",
  plural: "controllerrevisions",
  namespaced: true,
};
export const SERVICES: Resource<Service> = {
  apiVersion: "v1",
  kind: "Service",
  plural: "services",
  namespaced: true,
};
export const CONFIG_MAPS: Resource<ConfigMap> = {
  apiVersion: "v1",
  kind: "ConfigMap",
  plural: "configmaps",
  namespaced: true,
};
export const PODS: Resource<Pod> = { apiVersion: "v1", kind: "Pod", plural: "pods", namespaced: true };
