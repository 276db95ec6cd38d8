package playout

import (
	"testing"
	"time"

	"gatecast/audio"
)

func TestHigherClassEndsLower(t *testing.T) {
	order := []Class{Silence, Urgent, Scheduled, Tone}
	for i, a := range order {
		for k, b := range order {
			if got, want := a.Ends(b), i < k; got != want {
				t.Errorf("class %d ends class %d: %v, want %v", a, b, got, want)
			}
		}
	}
}

// speech is loud but for a pause from frame 400 to 700, at 1 kHz.
type speech struct{ at int }

func (s *speech) Format() audio.Format { return audio.Format{Rate: 1000, Channels: 1} }
func (s *speech) Frames() audio.Frames { return 1 << 20 }

func (s *speech) Read(dst []float32) (int, error) {
	for i := range dst {
		dst[i] = 1
		if s.at >= 400 && s.at < 700 {
			dst[i] = 0.001
		}
		s.at++
	}
	return len(dst), nil
}

// TestPlayMakesWayAtAPause holds that a play which makes way is heard to the
// next pause, that it does not wait for long, and that silence does not wait.
func TestPlayMakesWayAtAPause(t *testing.T) {
	tests := []struct {
		name  string
		read  int // frames before it is told
		cause []error
		want  time.Duration
	}{
		{"at_the_pause", 100, []error{errPreempted}, 400*time.Millisecond + pauseTime + fadeTime},
		{"no_pause_in_time", 800, []error{errPreempted}, 800*time.Millisecond + pauseWait + fadeTime},
		{"muted", 100, []error{errMuted}, 100*time.Millisecond + fadeTime},
		{"muted_while_it_waits", 100, []error{errPreempted, errMuted}, 100*time.Millisecond + fadeTime},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f fader
			src := f.over(&speech{})
			if _, err := src.Read(make([]float32, tt.read)); err != nil {
				t.Fatal(err)
			}
			for _, cause := range tt.cause {
				f.begin(func(error) {}, cause)
			}
			if _, err := src.Read(make([]float32, 3000)); err != nil {
				t.Fatal(err)
			}
			heard, cause := f.heard()
			if (heard-tt.want).Abs() > 2*time.Millisecond || cause != tt.cause[len(tt.cause)-1] {
				t.Errorf("heard = %v, %v, want %v", heard, cause, tt.want)
			}
			if most := time.Duration(tt.read)*time.Millisecond + 2*time.Second; heard > most {
				t.Errorf("it sounded for %v after %d ms: more than two seconds", heard, tt.read)
			}
		})
	}
}
