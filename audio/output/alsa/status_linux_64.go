//go:build linux && (amd64 || arm64 || riscv64 || loong64)

package alsa

import "time"

type timespec struct{ sec, nsec int64 }

func (t timespec) duration() time.Duration {
	return time.Duration(t.sec)*time.Second + time.Duration(t.nsec)
}

// pcmStatus is struct snd_pcm_status of 64-bit kernels.
type pcmStatus struct {
	state     int32
	_         int32
	trigger   timespec
	tstamp    timespec
	applPtr   ulong
	hwPtr     ulong
	delay     long
	avail     ulong
	availMax  ulong
	overrange ulong
	suspended int32
	_         uint32
	_         [2]timespec
	_         uint32
	_         [52 - 2*16]byte
}
