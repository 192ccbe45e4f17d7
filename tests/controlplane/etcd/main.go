// etcd in one process, for tests: no fsync, loopback or sockets only, ended by its parent.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

const startTimeout = 30 * time.Second

func main() {
	directory := flag.String("data-dir", "", "directory for the data")
	client := flag.String("client-url", "", "address for clients")
	peer := flag.String("peer-url", "", "address for peers")
	flag.Parse()

	server, err := embed.StartEtcd(configuration(*directory, parsed(*client), parsed(*peer)))
	if err != nil {
		fail(err)
	}
	select {
	case <-server.Server.ReadyNotify():
		fmt.Println("ready")
	case <-time.After(startTimeout):
		fail(fmt.Errorf("not ready after %s", startTimeout))
	}
	go func() { fail(<-server.Err()) }()
	_, _ = io.Copy(io.Discard, os.Stdin) // however the tests end, no server of theirs stays behind
}

func configuration(directory string, client, peer url.URL) *embed.Config {
	config := embed.NewConfig()
	config.Dir = directory
	config.LogLevel = "error"
	config.UnsafeNoFsync = true
	config.ListenClientUrls = []url.URL{client}
	config.AdvertiseClientUrls = config.ListenClientUrls
	config.ListenPeerUrls = []url.URL{peer}
	config.AdvertisePeerUrls = config.ListenPeerUrls
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	return config
}

func parsed(text string) url.URL {
	address, err := url.Parse(text)
	if err != nil {
		fail(err)
	}
	return *address
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "etcd:", err)
	os.Exit(1)
}
