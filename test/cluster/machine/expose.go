package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// expose listens on a loopback port of the host and carries each connection to
// an address inside another network namespace. A socket stays in the namespace
// that it was made in, so no interface and no route joins the two: the cluster
// keeps having no way out, and the host's routes stay as they are.
func expose(args []string) error {
	flags := flag.NewFlagSet("expose", flag.ExitOnError)
	netns := flags.String("netns", "", "network namespace file, such as /var/run/netns/NAME")
	listen := flags.String("listen", "127.0.0.1:0", "address on the host; port 0 takes a free one, which is printed")
	target := flags.String("to", "127.0.0.1:6443", "address inside the namespace, a literal IP")
	if err := flags.Parse(args); err != nil {
		return err
	}
	namespace, err := os.Open(*netns)
	if err != nil {
		return fmt.Errorf("open --netns: %w", err)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("listen on --listen: %w", err)
	}
	fmt.Println(listener.Addr())
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		go carry(client, int(namespace.Fd()), *target)
	}
}

// carry copies both ways until each side has ended. A half-closed side is
// passed on as such: kubectl exec ends its input before the output has come.
func carry(client net.Conn, namespace int, target string) {
	defer client.Close()
	upstream, err := dialInside(namespace, target)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer upstream.Close()
	go func() {
		io.Copy(upstream, client)
		upstream.CloseWrite()
	}()
	io.Copy(client, upstream)
}

func dialInside(namespace int, address string) (*net.TCPConn, error) {
	type dialled struct {
		conn *net.TCPConn
		err  error
	}
	result := make(chan dialled, 1)
	go func() {
		// Never unlocked: a thread that has changed its namespace must end with
		// its goroutine and not be given to another one.
		runtime.LockOSThread()
		if err := unix.Setns(namespace, unix.CLONE_NEWNET); err != nil {
			result <- dialled{nil, fmt.Errorf("enter the network namespace: %w", err)}
			return
		}
		// A literal IP and no second attempt, so that the dial stays on this thread.
		dialer := net.Dialer{Timeout: 5 * time.Second, FallbackDelay: -1}
		conn, err := dialer.Dial("tcp4", address)
		if err != nil {
			result <- dialled{nil, err}
			return
		}
		tcp, isTCP := conn.(*net.TCPConn)
		if !isTCP {
			err = errors.New("not a TCP connection: " + address)
		}
		result <- dialled{tcp, err}
	}()
	r := <-result
	return r.conn, r.err
}
