package alsa

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// ulong is C's unsigned long, snd_pcm_uframes_t; long its signed twin.
type (
	ulong = uintptr
	long  = int
)

// Directions of an ioctl number (asm-generic/ioctl.h), as on every Linux
// architecture this project builds for.
const (
	dirNone  = 0
	dirWrite = 1
	dirRead  = 2
)

// number composes an ioctl number of the given type ('A' PCM, 'U' control).
func number(dir uintptr, kind byte, nr, size uintptr) uintptr {
	return dir<<30 | size<<16 | uintptr(kind)<<8 | nr
}

// ioctl calls the kernel, again after an interruption. Every descriptor here is
// non-blocking, but a USB card may need some 100 ms to change its setting.
func ioctl(fd int, req uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), req, uintptr(arg))
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}

// ioctlNow is ioctl for requests that must not wait for Go's scheduler before
// or after the kernel: START. The raw call keeps the processor meanwhile.
func ioctlNow(fd int, req uintptr) error {
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), req, 0)
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}

// text returns the bytes of b up to the first zero.
func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
