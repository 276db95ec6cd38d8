//go:build !unix

package console

// handOver has nothing to do where files have no owner of that kind.
func handOver(_, _ string) error { return nil }
