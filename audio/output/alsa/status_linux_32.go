//go:build linux && (arm || 386)

package alsa

import "time"

// timespec has 32-bit seconds. That serves for ever: the clock counts from
// boot. Kernels before 5.6 know no other, later ones still answer it.
type timespec struct{ sec, nsec int32 }

func (t timespec) duration() time.Duration {
	return time.Duration(t.sec)*time.Second + time.Duration(t.nsec)
}

// pcmStatus is struct snd_pcm_status with 32-bit times.
type pcmStatus struct {
	state     int32
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
	_         [52 - 2*8]byte
}
