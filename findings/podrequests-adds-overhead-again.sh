#!/usr/bin/env bash
# PodRequests of Kubernetes' Go library counts a pod's overhead once more on each call.
#
# Version:   k8s.io/component-helpers v0.35.4 (package resource), with k8s.io/api and k8s.io/apimachinery v0.35.4.
# Input:     a pod with a memory request for the whole pod (spec.resources) and the overhead of its RuntimeClass.
# Behaviour: 3925Mi and 3.8330078125Gi are the same amount. With 3925Mi each call gives request + overhead. With
#            3.8330078125Gi the first call does, each later call with the same pod adds the overhead again, and the
#            request inside the pod has grown. Options at their zero values suffice.
# Cause:     a quantity with a binary suffix and a fraction holds a pointer to a big decimal (inf.Dec). PodRequests
#            copies the quantity by assignment, without DeepCopy, and Add writes through the shared pointer.
# Met by:    code that holds the pod as its author wrote it. Encoded and decoded once, the quantity is 3925Mi.
# Known as:  https://github.com/kubernetes/kubernetes/issues/141241
#
# Needs Go 1.25 or later and a module proxy. Usage: findings/podrequests-adds-overhead-again.sh   (from anywhere)
# Exit status: 0 as described, 1 changed, 2 not run.
set -euo pipefail

version=v0.35.4
expected="\
3925Mi: calls give 3989Mi 3989Mi 3989Mi; the pod's request is then 3925Mi
3.8330078125Gi: calls give 3989Mi 4053Mi 4117Mi; the pod's request is then 4117Mi"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# -modcacherw lets rm remove the modules, which Go otherwise writes read-only.
export GOPATH=$work/go GOMODCACHE=$work/go/pkg/mod GOWORK=off GOFLAGS='-mod=mod -modcacherw'

cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"
	"os"

	v1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/resource"
)

const manifest = `{
  "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sandboxed"},
  "spec": {
    "runtimeClassName": "sandbox", "overhead": {"memory": "64Mi"},
    "resources": {"requests": {"memory": %q}},
    "containers": [{"name": "main", "image": "registry.k8s.io/pause:3.10"}]
  }
}`

func main() {
	for _, written := range []string{"3925Mi", "3.8330078125Gi"} {
		var pod v1.Pod
		if err := json.Unmarshal(fmt.Appendf(nil, manifest, written), &pod); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("%s: calls give", written)
		for range 3 {
			requests := resource.PodRequests(&pod, resource.PodResourcesOptions{})
			fmt.Print(" ", requests.Memory())
		}
		fmt.Printf("; the pod's request is then %s\n", pod.Spec.Resources.Requests.Memory())
	}
}
GO

build() {
  go mod init finding &&
    go get "k8s.io/component-helpers@$version" "k8s.io/api@$version" "k8s.io/apimachinery@$version" &&
    go build -o finding .
}
if ! build >build.log 2>&1; then
  cat build.log >&2
  echo "not run: Go cannot fetch or build k8s.io/component-helpers $version; see Go's message above" >&2
  exit 2
fi

seen=$(./finding) || true # A program that fails has changed, too.
echo "$seen"
if [ "$seen" != "$expected" ]; then
  printf 'changed: k8s.io/component-helpers %s printed before:\n%s\n' "$version" "$expected" >&2
  exit 1
fi
