package output

import (
	"strings"
	"testing"
	"time"

	"gatecast/audio"
)

func TestOpenRefusesWhatItCannotPlayTo(t *testing.T) {
	tests := map[string]struct {
		kind, device string
		o            Options
		names        string // what the sentence names
	}{
		"unknown_kind":      {"oss", "", Options{}, `"oss"`},
		"no_kind":           {"", "", Options{}, "alsa, aplay, pulse, file"},
		"volume_too_high":   {File, "x", Options{Volume: 101}, "101"},
		"volume_negative":   {File, "x", Options{Volume: -1}, "-1"},
		"file_without_name": {File, "", Options{}, "folder"},
		"alsa_plugin":       {ALSA, "plughw:0", Options{}, "aplay"},
		"alsa_nonsense":     {ALSA, "the big one", Options{}, `"the big one"`},
		"aplay_option":      {APlay, "-x", Options{}, `"-x"`},
		"pulse_blank":       {Pulse, "two words", Options{}, `"two words"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			k, err := Open(tt.kind, tt.device, tt.o)
			if err == nil {
				k.Close()
				t.Fatal("Open has no error")
			}
			if !strings.Contains(err.Error(), tt.names) {
				t.Errorf("Open = %v; want it to name %s", err, tt.names)
			}
		})
	}
}

func TestEverySinkRefusesABadSource(t *testing.T) {
	sources := map[string]*audio.PCM{
		"no_frames":     {Format: audio.Format{Rate: 8000, Channels: 1}},
		"rate_too_low":  {Format: audio.Format{Rate: 4000, Channels: 1}, Samples: make([]float32, 10)},
		"rate_too_high": {Format: audio.Format{Rate: 400000, Channels: 1}, Samples: make([]float32, 10)},
		"too_many":      {Format: audio.Format{Rate: 8000, Channels: 9}, Samples: make([]float32, 9)},
	}
	for _, kind := range Kinds() {
		k, err := Open(kind, map[string]string{File: t.TempDir()}[kind], Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		for name, p := range sources {
			r, err := k.Play(t.Context(), time.Now(), newPCMSource(p))
			if err == nil || r.End != Refused {
				t.Errorf("%s with %s: %v, %v; want refused", kind, name, r.End, err)
			}
		}
	}
}

func TestFaultsSpeakBothLanguages(t *testing.T) {
	codes := []Code{Absent, Busy, Denied, Silenced, Dummy, Moved, Gone, Stalled, Unpaced, Starved, Unsupported, NoServer, NoTool, NoSpace, BadSource}
	if len(codes) != len(faultTexts) {
		t.Errorf("%d codes, %d texts", len(codes), len(faultTexts))
	}
	for _, c := range append(codes, "brand_new") {
		f := &Fault{Code: c, Device: "hw:7"}
		zh, en := f.Text("zh"), f.Text("en")
		if !strings.Contains(zh, "hw:7") && !strings.Contains(en, "hw:7") && c != "brand_new" {
			t.Errorf("%s does not name the device: %q, %q", c, zh, en)
		}
		if zh == en || strings.Contains(zh+en, "%!") {
			t.Errorf("%s: %q, %q", c, zh, en)
		}
	}
}
