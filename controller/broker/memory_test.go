package broker

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"gatecast/internal/wire"
)

// TestNothingIsKeptOnDisk holds the engine to memory: a write error in one of
// its files would keep every device out until a restart.
func TestNothingIsKeptOnDisk(t *testing.T) {
	w := newTestWorld(t)
	m := w.enrol()
	p := w.device(m)
	for _, k := range []wire.Kind{wire.KindHello, wire.KindState} {
		p.publish(wire.Up(m.id, k), 1, true, strings.Repeat("x", 10_000))
	}
	w.controller(wire.UpFilter).next() // what is retained came through the engine
	info, err := w.server.Jsz(&server.JSzOptions{Accounts: true, Streams: true, Config: true})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, a := range info.AccountDetails {
		for _, s := range a.Streams {
			n++
			if s.Config.Storage != server.MemoryStorage {
				t.Errorf("stream %s is kept in %s", s.Name, s.Config.Storage)
			}
		}
	}
	if n != len(streams()) {
		t.Errorf("%d streams, want the %d that were made: the engine's names have changed", n, len(streams()))
	}
	err = filepath.WalkDir(filepath.Join(w.o.Dir, "engine"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("the engine wrote %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestRetainedMessagesLeaveRoomForSessions fills what is retained over its
// bound: the oldest go, and devices can still connect.
func TestRetainedMessagesLeaveRoomForSessions(t *testing.T) {
	w := newTestWorld(t)
	payload := strings.Repeat("x", wire.MaxMessage)
	for range memoryRetained/4/wire.MaxMessage + 20 {
		m := w.enrol()
		p := w.device(m)
		for _, k := range []wire.Kind{wire.KindHello, wire.KindState, wire.KindRecords, wire.KindResult} {
			if tok := p.Publish(wire.Up(m.id, k), 0, true, payload); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
				t.Fatal(tok.Error())
			}
		}
		p.Disconnect(100)
	}
	m := w.enrol()
	p := w.device(m)
	if code := p.subscribe(wire.DownPattern(m.id)); code != 0 {
		t.Errorf("SUBSCRIBE = %#x", code)
	}
	info, err := w.server.Jsz(&server.JSzOptions{Accounts: true, Streams: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range info.AccountDetails {
		for _, s := range a.Streams {
			if s.Name == "$MQTT_rmsgs" && (s.State.Bytes > memoryRetained || s.State.Bytes < memoryRetained/2) {
				t.Errorf("%d bytes are retained, want at most %d and near it", s.State.Bytes, memoryRetained)
			}
		}
	}
}
