// Package alsa plays to a Linux sound card by the kernel's own ioctls, without
// libasound and without cgo.
//
// It owns the binary interface of <sound/asound.h>: cards and their ids (Cards,
// Find), one playback device (PCM) and the mixer (Mixer). It knows nothing of
// clips or instants; audio/output drives it. Errors wrap the kernel's errno, so
// that errors.Is(err, syscall.EBUSY) and its like work. On other systems than
// Linux there are no cards.
package alsa
