package broker

import (
	"crypto/x509"
	"regexp"
	"strconv"
	"strings"

	"gatecast/internal/wire"
)

// Why names the reason of a refusal.
type Why string

// The refusals that a connection which is in order never meets.
const (
	Stranger   Why = "stranger"    // no certificate of the CA, or no TLS at all
	NoDevice   Why = "no_device"   // a certificate of the CA that Authorize refuses
	OtherName  Why = "other_name"  // a device under the client id of another
	OtherTopic Why = "other_topic" // a device published or subscribed where it may not
)

// Refusal is one attempt that was refused.
type Refusal struct {
	Why    Why
	Device wire.DeviceID     // who it is by its certificate; empty where nobody knows
	From   string            // host:port
	Detail string            // operator's text; may hold what the client sent
	Cert   *x509.Certificate // as it was shown; nil where none was
}

// refuse tells whoever wants to know.
func (b *Broker) refuse(r Refusal) {
	if b.o.OnRefused != nil {
		b.o.OnRefused(r)
	}
}

// engineSays is a line of the engine about one connection: its address, its
// client id once it has told one, and the text.
var engineSays = regexp.MustCompile(`^(\S+) - mid(?:_ws)?:\d+(?: - ("(?:[^"\\]|\\.)*"))? - (.*)$`)

// strangers are how handshakes of somebody without our certificate end. A
// certificate that has expired is not among them, nor a connection that broke:
// honest devices and networks do that.
var strangers = []string{
	"client didn't provide a certificate", "unknown authority", "does not look like a TLS handshake", "unsupported versions",
	"bad certificate", "incompatible key usage", "invalid signature",
}

// refusalIn finds a refusal in what the engine says. The engine has no other
// way to tell that a handshake was refused or a topic was not allowed.
func refusalIn(text string) (Refusal, bool) {
	m := engineSays.FindStringSubmatch(text)
	if m == nil {
		return Refusal{}, false
	}
	r := Refusal{From: m[1], Detail: m[3]}
	switch {
	case strings.HasPrefix(r.Detail, "TLS handshake error: "):
		for _, s := range strangers {
			if strings.Contains(r.Detail, s) {
				r.Why = Stranger
				return r, true
			}
		}
	case strings.HasPrefix(r.Detail, "Publish Violation - "), strings.HasPrefix(r.Detail, "Subscription Violation"):
		name, err := strconv.Unquote(m[2])
		if err != nil || strings.HasPrefix(name, ControllerPrefix) {
			return Refusal{}, false
		}
		// The gatekeeper let nobody in whose client id is not the device's own.
		r.Why, r.Device = OtherTopic, wire.DeviceID(name)
		return r, r.Device.Valid()
	}
	return Refusal{}, false
}
