package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	plugin "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const (
	socketName = "berth-devices.sock"
	// How soon a changed device list, or a restarted kubelet, is noticed.
	pollInterval = 500 * time.Millisecond
)

// devicePlugin offers the devices that a file lists, one "ID [unhealthy]" a
// line, as an extended resource over the kubelet's real device-plugin socket.
// There is no hardware behind them: what is real is their registration,
// scheduling, allocation and health. A test takes a device away, or makes it
// fail, by writing the file.
type devicePlugin struct {
	plugin.UnimplementedDevicePluginServer
	file string
}

func (p *devicePlugin) list() []*plugin.Device {
	content, err := os.ReadFile(p.file)
	if err != nil {
		return nil // no file, no devices
	}
	var devices []*plugin.Device
	for line := range strings.Lines(string(content)) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		health := plugin.Healthy
		if slices.Contains(words[1:], "unhealthy") {
			health = plugin.Unhealthy
		}
		devices = append(devices, &plugin.Device{ID: words[0], Health: health})
	}
	return devices
}

func (p *devicePlugin) GetDevicePluginOptions(context.Context, *plugin.Empty) (*plugin.DevicePluginOptions, error) {
	return &plugin.DevicePluginOptions{}, nil
}

// ListAndWatch sends the list at once, and again whenever the file has changed it.
func (p *devicePlugin) ListAndWatch(_ *plugin.Empty, stream plugin.DevicePlugin_ListAndWatchServer) error {
	sent := "nothing yet"
	for {
		devices := p.list()
		if now := fmt.Sprint(devices); now != sent {
			if err := stream.Send(&plugin.ListAndWatchResponse{Devices: devices}); err != nil {
				return err
			}
			sent = now
		}
		select {
		case <-stream.Context().Done():
			return nil
		case <-time.After(pollInterval):
		}
	}
}

// Allocate names the devices to the container as NVIDIA's own plugin does.
func (p *devicePlugin) Allocate(_ context.Context, request *plugin.AllocateRequest) (*plugin.AllocateResponse, error) {
	response := &plugin.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		response.ContainerResponses = append(response.ContainerResponses, &plugin.ContainerAllocateResponse{
			Envs: map[string]string{"NVIDIA_VISIBLE_DEVICES": strings.Join(container.DevicesIds, ",")},
		})
	}
	return response, nil
}

func serveDevices(args []string) error {
	flags := flag.NewFlagSet("devices", flag.ExitOnError)
	directory := flags.String("dir", plugin.DevicePluginPath, "the kubelet's device-plugin directory")
	resource := flags.String("resource", "nvidia.com/gpu", "name of the extended resource")
	file := flags.String("devices", "", "file that lists the devices")
	if err := flags.Parse(args); err != nil {
		return err
	}
	// A kubelet that restarts forgets its plugins and empties the directory:
	// when the socket has gone, serve and register again.
	for {
		if err := serveUntilForgotten(*directory, *resource, *file); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		time.Sleep(pollInterval)
	}
}

func serveUntilForgotten(directory, resource, file string) error {
	socket := filepath.Join(directory, socketName)
	os.Remove(socket)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := grpc.NewServer()
	defer server.Stop()
	plugin.RegisterDevicePluginServer(server, &devicePlugin{file: file})
	go server.Serve(listener)
	if err := register(filepath.Join(directory, "kubelet.sock"), resource); err != nil {
		return fmt.Errorf("register %s: %w", resource, err)
	}
	fmt.Fprintln(os.Stderr, "registered", resource)
	for {
		if _, err := os.Stat(socket); err != nil {
			return nil
		}
		time.Sleep(pollInterval)
	}
}

func register(kubelet, resource string) error {
	conn, err := grpc.NewClient("unix://"+kubelet, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err = plugin.NewRegistrationClient(conn).Register(ctx, &plugin.RegisterRequest{
		Version: plugin.Version, Endpoint: socketName, ResourceName: resource,
	})
	return err
}
