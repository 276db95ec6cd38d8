package broker

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"gatecast/internal/wire"
)

func TestRefusalInFindsAttempts(t *testing.T) {
	tests := []struct {
		name, text string
		want       Refusal
		ok         bool
	}{
		{"no_certificate", `192.0.2.7:4000 - mid:7 - TLS handshake error: tls: client didn't provide a certificate`, Refusal{Why: Stranger, From: "192.0.2.7:4000"}, true},
		{"plain", `192.0.2.7:4000 - mid:7 - TLS handshake error: tls: first record does not look like a TLS handshake`, Refusal{Why: Stranger, From: "192.0.2.7:4000"}, true},
		{"own_ca", `192.0.2.7:4000 - mid:7 - TLS handshake error: tls: failed to verify certificate: x509: certificate signed by unknown authority (CN=x)`, Refusal{Why: Stranger, From: "192.0.2.7:4000"}, true},
		{"publish", `192.0.2.7:4000 - mid:7 - "d1" - Publish Violation - Subject "gatecast.v1.down.d2.plan"`, Refusal{Why: OtherTopic, Device: "d1", From: "192.0.2.7:4000"}, true},
		{"subscribe", `192.0.2.7:4000 - mid:7 - "d1" - Subscription Violation - Subject "gatecast.v1.>", SID 1`, Refusal{Why: OtherTopic, Device: "d1", From: "192.0.2.7:4000"}, true},
		{"expired_is_honest", `192.0.2.7:4000 - mid:7 - TLS handshake error: tls: failed to verify certificate: x509: certificate has expired or is not yet valid`, Refusal{}, false},
		{"broken_is_honest", `192.0.2.7:4000 - mid:7 - TLS handshake error: read tcp: connection reset by peer`, Refusal{}, false},
		{"own_link", `127.0.0.1:4000 - mid:7 - "controller-1" - Publish Violation - Subject "x"`, Refusal{}, false},
		{"no_name", `192.0.2.7:4000 - mid:7 - Publish Violation - Subject "x"`, Refusal{}, false},
		{"name_of_no_device", `192.0.2.7:4000 - mid:7 - "a\" - Publish" - Publish Violation - Subject "x"`, Refusal{}, false},
		{"other_text", `cannot write to disk`, Refusal{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := refusalIn(tt.text)
			if !ok {
				got = Refusal{}
			}
			if got.Why != tt.want.Why || got.Device != tt.want.Device || ok != tt.ok || ok && got.From != tt.want.From {
				t.Errorf("refusalIn = %+v, %v, want %+v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func FuzzRefusalIn(f *testing.F) {
	f.Add(`192.0.2.7:4000 - mid:7 - "d1" - Publish Violation - Subject "x"`)
	f.Fuzz(func(t *testing.T, text string) {
		if r, ok := refusalIn(text); ok && r.Why == OtherTopic && !r.Device.Valid() {
			t.Errorf("%q names device %q", text, r.Device)
		}
	})
}

// TestAttemptsAreTold makes every attempt at a real broker.
func TestAttemptsAreTold(t *testing.T) {
	var mu sync.Mutex
	var told []Refusal
	w := newTestWorld(t)
	w.o.OnRefused = func(r Refusal) { mu.Lock(); defer mu.Unlock(); told = append(told, r) }
	wait := func(what string, want func(Refusal) bool) {
		t.Helper()
		deadline, tick := time.After(10*time.Second), time.NewTicker(10*time.Millisecond)
		defer tick.Stop()
		for {
			mu.Lock()
			ok := slices.ContainsFunc(told, want)
			all := fmt.Sprintf("%+v", told)
			mu.Unlock()
			if ok {
				return
			}
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("%s was not told; told was %s", what, all)
			}
		}
	}
	stranger := func(r Refusal) bool { return r.Why == Stranger }

	// a guessed password, without TLS
	plain, err := net.Dial("tcp", w.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if _, err := plain.Write([]byte("\x10\x1c\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01x\x00\x05admin\x00\x06123456")); err != nil {
		t.Fatal(err)
	}
	wait("a connection without TLS", stranger)
	told = nil
	if c, err := tls.Dial("tcp", w.Addr(), &tls.Config{InsecureSkipVerify: true}); err == nil {
		_, _ = c.Read(make([]byte, 1)) // TLS 1.3 refuses after the handshake
		_ = c.Close()
	}
	wait("a connection without a certificate", stranger)

	one, two := w.enrol(), w.enrol()
	if _, err := w.connect(w.options(string(two.id), one.tls)); err == nil {
		t.Error("a device came in under another's name")
	}
	wait("another's name", func(r Refusal) bool { return r.Why == OtherName && r.Device == one.id })
	d := w.device(one)
	d.Publish(wire.Down(two.id, wire.KindCommand), 0, false, []byte("{}"))
	wait("another's topic", func(r Refusal) bool { return r.Why == OtherTopic && r.Device == one.id })
	w.mu.Lock()
	w.revoked[one.id] = true
	w.mu.Unlock()
	if _, err := w.connect(w.options(string(one.id), one.tls)); err == nil {
		t.Error("a revoked device came in")
	}
	wait("a revoked device", func(r Refusal) bool { return r.Why == NoDevice && r.Cert != nil })
}
