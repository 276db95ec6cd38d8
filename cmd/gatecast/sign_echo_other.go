//go:build !linux

package main

import "io"

// hideInput does nothing here: what is typed is shown.
func hideInput(io.Reader) (show func()) { return func() {} }
