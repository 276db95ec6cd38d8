package playout

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"gatecast/internal/needtool"
	"gatecast/internal/wire"
)

// maxBytesPlay is what a play may dirty on the card: intent, outcome and
// progress are a page of 4 KiB each, and a record that crosses a page's end
// takes one more.
const maxBytesPlay = 16 << 10

// TestPlayDirtiesLittle counts what 40 plays of 30 s write, acks included, as
// the kernel counts it.
func TestPlayDirtiesLittle(t *testing.T) {
	const plays = 40
	slot := testSlot("gates.morning", 10, plays)
	inBubble(t, testPlan(slot), func(r *rig) {
		r.man.Clips[0].Frames = 30 * clipRate
		r.start()
		r.until(minutes(9))
		before, ok := writtenBytes(t)
		for i := range plays {
			r.until(minutes(float64(10 + 2*i + 1)))
			if err := r.journal.Ack(wire.Ack{Log: r.journal.Log(), Upto: r.journal.Last()}); err != nil {
				t.Fatal(err)
			}
		}
		after, _ := writtenBytes(t)
		if n := len(r.sink.sounded()); n != plays {
			t.Fatalf("%d plays sounded", n)
		}
		if !ok || after == before {
			needtool.Missing(t, "a temporary folder on a disk whose written bytes the kernel counts")
		}
		each := (after - before) / plays
		t.Logf("%d bytes a play, %d KiB a day at 50 plays", each, each*50>>10)
		if each > maxBytesPlay {
			t.Errorf("a play dirties %d bytes, the budget is %d", each, maxBytesPlay)
		}
	})
}

// writtenBytes is how much this process has dirtied on disk.
func writtenBytes(t *testing.T) (n int64, ok bool) {
	t.Helper()
	data, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		if v, found := strings.CutPrefix(line, "write_bytes: "); found {
			n, err = strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
