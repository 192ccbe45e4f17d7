// An object store that speaks S3, for tests: in memory, on the loopback, any credentials, ended by its parent.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// main serves the buckets that its arguments name, and prints its address.
func main() {
	backend := s3mem.New()
	for _, bucket := range os.Args[1:] {
		if err := backend.CreateBucket(bucket); err != nil {
			fail(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	fmt.Println("ready", listener.Addr())
	go func() { fail(http.Serve(listener, gofakes3.New(backend).Server())) }()
	_, _ = io.Copy(io.Discard, os.Stdin) // however the tests end, no server of theirs stays behind
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "s3:", err)
	os.Exit(1)
}
