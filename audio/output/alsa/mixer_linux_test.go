package alsa

import (
	"slices"
	"testing"
	"unsafe"
)

func TestClassifyPicksPlaybackControls(t *testing.T) {
	type want struct {
		base              string
		level, toggle, ok bool
	}
	tests := map[string]want{
		"Master Playback Volume":        {"Master", true, false, true},
		"Master Playback Switch":        {"Master", false, true, true},
		"Headphone Playback Volume":     {"Headphone", true, false, true},
		"Line Out Playback Switch":      {"Line Out", false, true, true},
		"PCM Volume":                    {"PCM", true, false, true},
		"Playback Volume":               {"Playback", true, false, true},
		"Speaker Volume":                {"Speaker", true, false, false},
		"Line Playback Volume":          {},
		"Mic Playback Switch":           {},
		"Front Mic Playback Volume":     {},
		"Beep Playback Volume":          {},
		"Capture Volume":                {},
		"Loopback Mixing":               {},
		"Auto-Mute Mode":                {},
		"IEC958 Playback Switch":        {"IEC958", false, true, true},
		"":                              {},
		"CD Playback Volume":            {},
		"Sidetone Playback Switch":      {},
		"Microphone Array Front Volume": {"Microphone Array Front", true, false, false},
	}
	for name, tt := range tests {
		base, level, toggle, ok := classify(name)
		if ok != tt.ok || ok && (base != tt.base || level != tt.level || toggle != tt.toggle) {
			t.Errorf("classify(%q) = %q, %v, %v, %v; want %+v", name, base, level, toggle, ok, tt)
		}
	}
}

func TestMixerMutedByItsChain(t *testing.T) {
	master := func(percent int, off bool) Control {
		return Control{Name: "Master", Percent: percent, Switch: true, Off: off, series: true}
	}
	out := func(name string, percent int, off bool) Control {
		return Control{Name: name, Percent: percent, Switch: true, Off: off}
	}
	tests := map[string]struct {
		controls []Control
		want     bool
		text     string
	}{
		"no_mixer":                {nil, false, ""},
		"all_open":                {[]Control{master(60, false), out("Speaker", 80, false)}, false, "Master 60% on, Speaker 80% on"},
		"master_off":              {[]Control{master(60, true), out("Speaker", 80, false)}, true, "Master 60% off, Speaker 80% on"},
		"master_at_zero":          {[]Control{master(0, false), out("Speaker", 80, false)}, true, "Master 0% on, Speaker 80% on"},
		"one_output_off":          {[]Control{master(60, false), out("Speaker", 80, false), out("Headphone", 0, true)}, false, "Master 60% on, Speaker 80% on, Headphone 0% off"},
		"every_output_off":        {[]Control{master(60, false), out("Speaker", 80, true), out("Headphone", 0, false)}, true, "Master 60% on, Speaker 80% off, Headphone 0% on"},
		"optical_off_on_a_codec":  {[]Control{master(60, false), {Name: "IEC958", Percent: -1, Switch: true, Off: true, digital: true}}, false, "Master 60% on, IEC958 off"},
		"switch_without_level":    {[]Control{{Name: "IEC958", Percent: -1, Switch: true, digital: true}}, false, "IEC958 on"},
		"level_without_switch":    {[]Control{{Name: "PCM", Percent: 40, series: true}}, false, "PCM 40%"},
		"switch_off_and_no_level": {[]Control{{Name: "IEC958", Percent: -1, Switch: true, Off: true, digital: true}}, true, "IEC958 off"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := Mixer{Controls: tt.controls}
			if m.Muted() != tt.want || m.String() != tt.text {
				t.Errorf("Mixer %q muted %v; want %q %v", m, m.Muted(), tt.text, tt.want)
			}
		})
	}
}

func TestElementPercentRoundTrips(t *testing.T) {
	for _, bounds := range [][2]long{{0, 100}, {0, 31}, {-10239, 400}, {-50, 50}, {0, 65536}} {
		e := element{}
		e.info.count = 2
		v := (*[2]long)(unsafe.Pointer(&e.info.value))
		*v = bounds
		for percent := 1; percent <= 100; percent++ {
			e.value.value[0] = bounds[0]
			e.value.value[1] = e.raw(percent)
			got := e.percent()
			if step := 50/int(bounds[1]-bounds[0]) + 1; got < percent-step || got > percent+step || got == 0 {
				t.Errorf("range %v: %d%% reads back %d%%", bounds, percent, got)
			}
		}
		e.value.value[1] = bounds[0]
		if got := e.percent(); got != 0 {
			t.Errorf("range %v: the bottom reads %d%%", bounds, got)
		}
	}
}

func TestRateOrderPrefersExactMultiples(t *testing.T) {
	tests := map[int][]int{
		24000:  {24000, 48000, 96000},
		44100:  {44100, 88200, 176400},
		22050:  {22050, 44100, 88200},
		192000: {192000, 176400, 96000},
	}
	for want, first := range tests {
		if got := rateOrder(want); !slices.Equal(got[:3], first) {
			t.Errorf("rateOrder(%d) = %v, want %v first", want, got, first)
		}
	}
	if got := rateOrder(37800); got[1] != 44100 || got[len(got)-1] != 8000 {
		t.Errorf("rateOrder(37800) = %v, want 44100 next and 8000 last", got)
	}
}

func TestIntervalBoundsAreInclusive(t *testing.T) {
	tests := []struct {
		in        interval
		low, high uint32
	}{
		{interval{8000, 48000, 0}, 8000, 48000},
		{interval{8000, 48000, openMin | openMax}, 8001, 47999},
		{interval{0, 0, openMax}, 0, 0},
	}
	for _, tt := range tests {
		if low, high := tt.in.bounds(); low != tt.low || high != tt.high {
			t.Errorf("bounds(%+v) = %d, %d; want %d, %d", tt.in, low, high, tt.low, tt.high)
		}
	}
}
