{{/* What the operator does in a namespace whose ModelDeployments it serves. No Secret is ever read: the kubelet mounts what
     a ModelDeployment names. */}}
{{- define "berth.rights" -}}
# The spec is the user's: read, never written.
- apiGroups: [berth.dev]
  resources: [modeldeployments]
  verbs: [get, list, watch]
- apiGroups: [berth.dev]
  resources: [modeldeployments/status]
  verbs: [patch]
- apiGroups: [berth.dev]
  resources: [modelrollouts]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [berth.dev]
  resources: [modelrollouts/status]
  verbs: [patch]
# To own children with blockOwnerDeletion where OwnerReferencesPermissionEnforcement is on (OpenShift).
- apiGroups: [berth.dev]
  resources: [modeldeployments/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [controllerrevisions, deployments]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [""]
  resources: [configmaps, services]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [delete, get, list, watch]
# The router of a namespace has a ServiceAccount there, bound to the router's role and to no other.
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings]
  verbs: [create, delete, get, list, patch, watch]
# Not looked at: nobody may grant what he does not have himself.
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* What it reads of the cluster as a whole, to know where pods have room. Without these rights room is unknown. */}}
{{- define "berth.clusterReads" -}}
# To say by how much a pod does not fit.
- apiGroups: [""]
  resources: [nodes]
  verbs: [list]
# Whose pods come first where devices are scarce.
- apiGroups: [scheduling.k8s.io]
  resources: [priorityclasses]
  verbs: [list]
# Whether devices are left for ResourceClaims, and which resources they stand for.
- apiGroups: [resource.k8s.io]
  resources: [deviceclasses, resourceclaims, resourceslices]
  verbs: [list]
# Whether another release that looks at the same namespace still runs.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get]
# Whether nodes come where pods wait for them.
- apiGroups: [karpenter.sh]
  resources: [nodepools]
  verbs: [list]
{{- end -}}

{{/* What a router may see; the operator binds it in the namespaces that have one, for that namespace alone. */}}
{{- define "berth.routerRights" -}}
- apiGroups: [berth.dev]
  resources: [modeldeployments]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- end -}}
