package link

import (
	"sync/atomic"
	"testing"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// TestMuteIsSaidUntilItIsTaken: a word about silence reaches a connected device
// at once, is said again when it got lost, and greets one that comes back.
func TestMuteIsSaidUntilItIsTaken(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	stop(t, w.link.Stop)
	var number atomic.Uint64
	w.startLink(Options{Lacking: func(d fleet.Device) ([]byte, error) {
		if n := number.Load(); d.Mute.Number < n {
			return []byte(`"hush"`), nil
		}
		return nil, nil
	}})
	g.connect()
	g.hello(wire.State{})
	g.nextRaw(wire.KindTime)
	number.Store(5)
	w.link.Mute([]wire.DeviceID{g.id})
	for range 2 { // the first one counts as lost
		if got := string(g.nextRaw(wire.KindMute)); got != `"hush"` {
			t.Fatalf("mute = %s", got)
		}
	}
	g.state(wire.State{Mute: wire.MuteState{Number: 5, On: true}})
	w.eventually("the page knows", func() bool { return w.device(g).Mute.On })
	number.Store(6)
	g.hello(wire.State{Mute: wire.MuteState{Number: 5, On: true}})
	if got := string(g.nextRaw(wire.KindMute)); got != `"hush"` {
		t.Errorf("after a hello: mute = %s", got)
	}
}
