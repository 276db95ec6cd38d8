package main

import "syscall"

// ownGroup puts a child into a process group of its own and has the kernel end
// it should this process die without stopping it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
