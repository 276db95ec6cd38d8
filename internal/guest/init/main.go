//go:build linux

// Command init is process 1 of a guest that does what its host asks of it.
package main

import "gatecast/internal/guest/errand"

func main() { errand.Serve() }
