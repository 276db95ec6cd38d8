package alsa

import (
	"runtime"
	"testing"
	"unsafe"
)

// TestABIMatchesTheKernel holds each structure against the size that the
// kernel's headers give it: an ioctl number contains it, so that a wrong size
// is ENOTTY on a real card.
func TestABIMatchesTheKernel(t *testing.T) {
	tests := []struct {
		name                string
		got                 uintptr
		bits64, arm32, i386 uintptr
	}{
		{"snd_pcm_hw_params", unsafe.Sizeof(hwParams{}), 608, 604, 604},
		{"snd_pcm_sw_params", unsafe.Sizeof(swParams{}), 136, 104, 104},
		{"snd_pcm_status", unsafe.Sizeof(pcmStatus{}), 152, 108, 108},
		{"snd_xferi", unsafe.Sizeof(xfer{}), 24, 12, 12},
		{"snd_ctl_card_info", unsafe.Sizeof(cardInfo{}), 376, 376, 376},
		{"snd_ctl_elem_id", unsafe.Sizeof(elemID{}), 64, 64, 64},
		{"snd_ctl_elem_list", unsafe.Sizeof(elemList{}), 80, 72, 72},
		{"snd_ctl_elem_info", unsafe.Sizeof(elemInfo{}), 272, 272, 272},
		{"snd_ctl_elem_value", unsafe.Sizeof(elemValue{}), 1224, 712, 708},
		{"snd_pcm_info", unsafe.Sizeof(pcmInfo{}), 288, 288, 288},
		{"elem_value.value", unsafe.Offsetof(elemValue{}.value), 72, 72, 68},
		{"elem_info.value", unsafe.Offsetof(elemInfo{}.value), 80, 80, 80},
		{"pcm_status.delay", unsafe.Offsetof(pcmStatus{}.delay), 56, 28, 28},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.bits64
			switch runtime.GOARCH {
			case "arm":
				want = tt.arm32
			case "386":
				want = tt.i386
			}
			if tt.got != want {
				t.Errorf("%s on %s = %d, want %d", tt.name, runtime.GOARCH, tt.got, want)
			}
		})
	}
}
