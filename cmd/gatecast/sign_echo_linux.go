package main

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// hideInput keeps a terminal from showing what is typed until the returned
// function is called. What is no terminal is left alone.
func hideInput(in io.Reader) (show func()) {
	f, ok := in.(*os.File)
	if !ok {
		return func() {}
	}
	was, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return func() {}
	}
	quiet := *was
	quiet.Lflag &^= unix.ECHO
	_ = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, &quiet) // shown, at worst
	return func() { _ = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, was) }
}
