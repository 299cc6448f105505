// machine is every program of a small, real Kubernetes cluster in one binary,
// built from the Go module proxy. The first argument picks the program.
//
// One binary, because the programs share most of their packages: seven
// separate ones would be compiled from the same sources and linked seven times.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/coredns/coredns/coremain"
	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

const usage = `usage: machine PROGRAM [flags]
  etcd, kube-apiserver, kube-controller-manager, kube-scheduler   the control plane
  kubelet, kube-proxy                                             a node
  dns                                                             cluster DNS (CoreDNS)
  devices                                                         a device plugin whose devices come and go
  expose                                                          a loopback port into a network namespace
  kubectl                                                         the client`

func main() {
	if len(os.Args) < 2 {
		fail(usage)
	}
	program := os.Args[1]
	// Each program sees the command line that it would see as a binary of its own.
	os.Args = append([]string{program}, os.Args[2:]...)

	// Programs that are not cobra commands.
	switch program {
	case "etcd":
		etcdmain.Main(os.Args)
		return
	case "dns":
		coremain.Run()
		return
	case "devices":
		failIf(serveDevices(os.Args[1:]))
		return
	case "expose":
		failIf(expose(os.Args[1:]))
		return
	}

	commands := map[string]func() *cobra.Command{
		"kube-apiserver":          apiserver.NewAPIServerCommand,
		"kube-controller-manager": controllers.NewControllerManagerCommand,
		"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
		"kube-proxy":              proxy.NewProxyCommand,
		"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
		"kubectl":                 kubectl.NewDefaultKubectlCommand,
	}
	command, known := commands[program]
	if !known {
		fail("no program " + program + "\n" + usage)
	}
	os.Exit(cli.Run(command()))
}

func failIf(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}
