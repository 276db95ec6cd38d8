//go:build !linux

package store

import "errors"

// mountSmall is for Linux only.
func mountSmall(string, int) (unmount func(), err error) {
	return nil, errors.New("not Linux")
}
