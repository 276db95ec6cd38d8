package controller

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"gatecast/controller/fleet"
)

// TestOriginalOfALongRecordingStaysThirtyDays runs the office's own retention.
func TestOriginalOfALongRecordingStaysThirtyDays(t *testing.T) {
	c := start(t, testOptions(t, t.TempDir()))
	_, _, err := c.AddClip(t.Context(), "讲座.wav", bytes.NewReader(longWAV(200)), fleet.Clip{Name: "long", By: "clerk"})
	var told *fleet.Error
	if !errors.As(err, &told) {
		t.Fatalf("error = %v, want one for the user", err)
	}
	id, ok := told.Topic.Reel()
	if !ok {
		t.Fatalf("topic = %q, want a recording", told.Topic)
	}
	x, err := c.Store.Reel(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	cut, err := officeReels{c}.Cut(t.Context(), id, fleet.Stretch{From: 0, To: 20 * time.Second}, fleet.Clip{Name: "part", Title: "片段", By: "clerk"})
	if err != nil {
		t.Fatal(err)
	}
	there := func() bool {
		_, err := os.Stat(c.media.OriginalPath(x.Original))
		return err == nil
	}
	c.tidyMedia(t.Context(), time.Now().Add(30*24*time.Hour-time.Minute))
	if !there() {
		t.Fatal("the original went before its time")
	}
	c.tidyMedia(t.Context(), time.Now().Add(30*24*time.Hour+time.Minute))
	if there() {
		t.Error("the original is still there after 30 days")
	}
	if x, err = c.Store.Reel(t.Context(), id); err != nil || x.Gone.IsZero() || len(x.Cuts) != 1 {
		t.Errorf("recording %+v, %v", x, err)
	}
	if f, err := c.media.Open(cut.SHA256); err != nil {
		t.Errorf("the clip that was cut from it: %v", err)
	} else {
		f.Close()
	}
}

// longWAV is a WAV of a low tone: 8 kHz, mono, 16 bits.
func longWAV(seconds int) []byte {
	n := 16_000 * seconds
	le := func(v, size int) []byte {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(v >> (8 * i))
		}
		return b
	}
	b := bytes.Join([][]byte{[]byte("RIFF"), le(36+n, 4), []byte("WAVEfmt "), le(16, 4), le(1, 2), le(1, 2), le(8000, 4), le(16_000, 4), le(2, 2), le(16, 2), []byte("data"), le(n, 4)}, nil)
	for i := range n / 2 {
		v := 8000
		if i/20%2 == 1 {
			v = -8000
		}
		b = append(b, le(v, 2)...)
	}
	return b
}
