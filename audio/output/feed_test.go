package output

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatecast/audio"
)

// TestFeedGivesTheClipOnce reads a feed in every way: however much is asked
// for at a time, and however much is encoded ahead, the bytes are the clip's.
func TestFeedGivesTheClipOnce(t *testing.T) {
	clip := chirp(8000, 1, 500*time.Millisecond)
	var stereo []float32
	for _, v := range clip.Samples {
		stereo = append(stereo, v, v)
	}
	want := s16.put(nil, stereo)
	rapid.Check(t, func(t *rapid.T) {
		f, err := newFeed(newPCMSource(clip), 8000, 2, s16)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for !f.done() {
			if rapid.Bool().Draw(t, "ahead") {
				if err := f.prefetch(rapid.IntRange(0, 3000).Draw(t, "prefetch")); err != nil {
					t.Fatal(err)
				}
			}
			before := f.given
			n := rapid.IntRange(1, 2000).Draw(t, "n")
			if got, err = f.next(got, n); err != nil {
				t.Fatal(err)
			}
			if gave := f.given - before; gave > audio.Frames(n) || int(f.given)*f.frameBytes() != len(got) {
				t.Fatalf("next(%d) gave %d frames, %d bytes in all", n, gave, len(got))
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatal("bytes are not the clip's")
		}
		if rest, err := f.next(nil, 10); len(rest) != 0 || err != nil {
			t.Fatalf("after the end: %d bytes, %v", len(rest), err)
		}
	})
}

func TestFeedConvertsTheRate(t *testing.T) {
	f, err := newFeed(newPCMSource(chirp(24000, 1, time.Second)), 48000, 2, s32)
	if err != nil {
		t.Fatal(err)
	}
	if f.clip != 48000 || f.frames != 24000 || f.frameBytes() != 8 {
		t.Errorf("clip of %d device frames, %d source frames, %d bytes each", f.clip, f.frames, f.frameBytes())
	}
	tests := map[audio.Frames]audio.Frames{-5: 0, 0: 0, 1: 0, 2: 1, 24000: 12000, 47999: 23999, 48000: 24000, 50000: 24000}
	for device, want := range tests {
		if got := f.inSource(device); got != want {
			t.Errorf("inSource(%d) = %d, want %d", device, got, want)
		}
	}
}

func TestFeedReportsAShortSource(t *testing.T) {
	for name, rate := range map[string]int{"as_it_is": 24000, "converted": 48000} {
		t.Run(name, func(t *testing.T) {
			src := newPCMSource(chirp(24000, 1, time.Second))
			src.claims = 30000
			f, err := newFeed(src, rate, 2, s16)
			for err == nil && !f.done() {
				_, err = f.next(nil, 4000)
			}
			if f, ok := errors.AsType[*Fault](err); !ok || f.Code != BadSource {
				t.Errorf("next = %v, want bad_source", err)
			}
		})
	}
}
