import type { Component } from "./component.ts";
import { containerd } from "./containerd.ts";
import { devices } from "./devices.ts";
import { dns } from "./dns.ts";
import { etcd } from "./etcd.ts";
import { kubeApiserver } from "./kube-apiserver.ts";
import { kubeControllerManager } from "./kube-controller-manager.ts";
import { kubeProxy } from "./kube-proxy.ts";
import { kubeScheduler } from "./kube-scheduler.ts";
import { kubelet } from "./kubelet.ts";

export const controlPlane = [etcd, kubeApiserver, kubeControllerManager, kubeScheduler, dns] as const;
export const everyNode = [containerd, kubelet, kubeProxy, devices] as const;

export const components: readonly Component[] = [...controlPlane, ...everyNode];
export const componentNames: readonly string[] = components.map(({ name }) => name);
