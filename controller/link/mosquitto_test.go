package link

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatecast/internal/needtool"
	"gatecast/internal/wire"
)

// startMosquitto runs the shipped example on a free port, with the keys of w.
func (w *world) startMosquitto() {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.other = l.Addr().String()
	if err := l.Close(); err != nil {
		w.t.Fatal(err)
	}
	deploy := filepath.Join("..", "..", "deploy", "broker")
	acl, err := filepath.Abs(filepath.Join(deploy, "gatecast.acl"))
	if err != nil {
		w.t.Fatal(err)
	}
	conf, err := os.ReadFile(filepath.Join(deploy, "mosquitto.conf"))
	if err != nil {
		w.t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(w.other)
	for _, r := range [][2]string{
		{"listener 8883", "listener " + port + " 127.0.0.1"},
		{"/etc/mosquitto/gatecast/", filepath.Join(w.dir, "trust") + "/"},
		{"/etc/mosquitto/gatecast.acl", acl},
	} {
		if !bytes.Contains(conf, []byte(r[0])) {
			w.t.Fatalf("the example lacks %q", r[0])
		}
		conf = bytes.ReplaceAll(conf, []byte(r[0]), []byte(r[1]))
	}
	path := filepath.Join(w.dir, "mosquitto.conf")
	// The keys of the test belong to whoever runs it.
	if err := os.WriteFile(path, append(conf, "user root\n"...), 0o600); err != nil {
		w.t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command("mosquitto", "-c", path)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if w.t.Failed() {
			w.t.Logf("mosquitto said:\n%s", out.String())
		}
	})
	w.eventually("mosquitto listens", func() bool {
		c, err := net.Dial("tcp", w.other)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// TestMosquittoStandsIn runs the shipped example in place of the embedded
// broker: the same conversation, the same walls between devices.
func TestMosquittoStandsIn(t *testing.T) {
	needtool.Need(t, "mosquitto")
	w := newTestOffice(t)
	w.startMosquitto()
	w.startLink(Options{})
	g, other := w.enrol(0), w.enrol(1)
	hash := w.plan(1, g)[0]
	g.connect()
	other.connect()
	g.hello(wire.State{Log: testLog})
	g.nextRaw(wire.KindTime)
	if o := next[wire.PlanOffer](g, wire.KindPlan); o.Plan.SHA256 != hash {
		t.Errorf("offer = %+v, want %s", o.Plan, hash)
	}
	g.send(wire.KindRecords, g.batch(50))
	g.ackUpto(50)

	// A device can neither speak nor hear for another.
	for _, topic := range []string{wire.Up(g.id, wire.KindState), wire.Down(g.id, wire.KindCommand)} {
		if tok := other.client.Publish(topic, 0, false, `{"session":1}`); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
			t.Fatal(tok.Error())
		}
	}
	other.client.Subscribe(wire.DownPattern(g.id), 0, nil).WaitTimeout(5 * time.Second)
	other.client.Subscribe("#", 0, nil).WaitTimeout(5 * time.Second)
	g.send(wire.KindRecords, g.batch(1))
	g.ackUpto(51)
	other.hello(wire.State{})
	other.nextRaw(wire.KindTime)
	other.nothing(wire.KindAck)
	g.nothing(wire.KindCommand)
	if d := w.device(g); !d.Online {
		t.Error("another device said that this one is gone")
	}

	// Taking another's client id leads to one's own.
	o := mqtt.NewClientOptions().AddBroker("ssl://" + w.addr()).SetClientID(string(g.id)).SetTLSConfig(other.tls).
		SetAutoReconnect(false).SetConnectTimeout(5 * time.Second)
	thief := mqtt.NewClient(o)
	if tok := thief.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	defer thief.Disconnect(0)
	w.eventually("the thief's own connection was replaced", func() bool { return !other.client.IsConnectionOpen() })
	if !g.client.IsConnectionOpen() {
		t.Error("the device whose name was taken lost its connection")
	}

	// The death of the replaced connection is its own: one of an older session
	// than the thief's does not count, and g is still there.
	g.send(wire.KindRecords, g.batch(1))
	g.ackUpto(52)
	if s := w.link.Stats(); s.Refused != 0 || !w.device(g).Online {
		t.Errorf("stats = %+v, online %v", s, w.device(g).Online)
	}
}
