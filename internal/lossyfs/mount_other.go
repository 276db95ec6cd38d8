//go:build !linux

package lossyfs

import "errors"

type server struct{}

func serve(*tree, string) (*server, error) {
	return nil, errors.New("needs Linux and FUSE")
}

func (*server) detach() error { return nil }
