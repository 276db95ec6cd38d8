package broker

import (
	"crypto/subtle"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/nats-io/nats-server/v2/server"

	"gatecast/internal/wire"
)

// gatekeeper decides at CONNECT who a connection is and what it may do.
type gatekeeper struct {
	b     *Broker
	token string      // of this package's own connection inside the process
	open  atomic.Bool // everything is prepared; nobody else comes in before
}

var _ server.Authentication = (*gatekeeper)(nil)

// Check registers the permissions of c, or refuses it.
func (g *gatekeeper) Check(c server.ClientAuthentication) bool {
	if !g.open.Load() {
		return subtle.ConstantTimeCompare([]byte(c.GetOpts().Token), []byte(g.token)) == 1
	}
	state := c.GetTLSConnectionState()
	if state == nil || len(state.VerifiedChains) == 0 || len(state.PeerCertificates) == 0 {
		return false
	}
	name, ok := clientID(c)
	if !ok {
		g.b.logger.Warn("client id not recognised", "conn", fmt.Sprint(c))
		return false
	}
	cert := state.PeerCertificates[0]
	id, ok := g.b.o.Authorize(cert)
	if !ok {
		g.b.logger.Info("connection refused", "client_id", name, "subject", cert.Subject.CommonName, "from", c.RemoteAddress())
		g.b.refuse(Refusal{Why: NoDevice, From: fmt.Sprint(c.RemoteAddress()), Detail: fmt.Sprintf("client id %q", name), Cert: cert})
		return false
	}
	// A deadline makes a device renew: a connection may be older than the
	// certificate it was opened with.
	user := &server.User{ConnectionDeadline: cert.NotAfter}
	switch {
	case id.Controller && !strings.HasPrefix(name, ControllerPrefix):
		return false
	case id.Controller:
		user.Username, user.Permissions = "controller", treePermissions()
	case !id.Device.Valid() || name != string(id.Device):
		// The engine closes the older of two connections with one client id,
		// so nobody may use the id of another.
		g.b.logger.Warn("connection refused: client id of another", "client_id", name, "device", id.Device, "from", c.RemoteAddress())
		g.b.refuse(Refusal{Why: OtherName, Device: id.Device, From: fmt.Sprint(c.RemoteAddress()), Detail: fmt.Sprintf("client id %q", name), Cert: cert})
		return false
	default:
		user.Username, user.Permissions = string(id.Device), devicePermissions(id)
		g.b.mu.Lock()
		g.b.conns[id.Device] = c.GetID()
		g.b.mu.Unlock()
		// Ask again: a Kick between the first answer and now found no
		// connection to close.
		if _, ok := g.b.o.Authorize(cert); !ok {
			return false
		}
	}
	c.RegisterUser(user)
	return true
}

// ControllerPrefix begins every client id of the controller's own links, so
// that none of them is the name of a device.
const ControllerPrefix = "controller-"

// connName is how the engine names an MQTT connection once it has parsed its
// CONNECT: address, id, quoted client id. The engine has no other way to tell
// an authenticator the client id; a name of another form is refused.
var connName = regexp.MustCompile(`^[^ ]+ - mid(?:_ws)?:\d+ - (".*")$`)

func clientID(c server.ClientAuthentication) (string, bool) {
	s, ok := c.(fmt.Stringer)
	if !ok {
		return "", false
	}
	m := connName.FindStringSubmatch(s.String())
	if m == nil {
		return "", false
	}
	name, err := strconv.Unquote(m[1])
	return name, err == nil && name != ""
}

// devicePermissions names each topic: the engine keeps one retained message a
// topic, and a pattern would let a device invent topics without end.
func devicePermissions(id Identity) *server.Permissions {
	says := []wire.Kind{wire.KindHello, wire.KindState, wire.KindRecords, wire.KindResult}
	hears := []wire.Kind{wire.KindCommand, wire.KindPlan, wire.KindAck, wire.KindTime}
	var never []wire.Kind
	if id.Deliver {
		says, hears, never = says[:3], hears[1:], hears[:1]
	}
	var up, down, deny []string
	for _, k := range says {
		up = append(up, subject(wire.Up(id.Device, k)))
	}
	down = append(down, subject(wire.DownPattern(id.Device)))
	for _, k := range hears {
		down = append(down, subject(wire.Down(id.Device, k)))
	}
	for _, k := range never { // the pattern would have let them through
		deny = append(deny, subject(wire.Down(id.Device, k)))
	}
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: up},
		Subscribe: &server.SubjectPermission{Allow: down, Deny: deny},
	}
}

// treePermissions is for the controller. The engine subscribes to x as well
// where a client subscribes to x/#, so x has to be allowed by itself.
func treePermissions() *server.Permissions {
	tree := &server.SubjectPermission{Allow: []string{"gatecast.v1", "gatecast.v1.>"}}
	return &server.Permissions{Publish: tree, Subscribe: tree}
}

// subject turns a topic of ours into the engine's form. Our topics have
// neither dots nor empty levels, which the engine would map otherwise.
func subject(topic string) string {
	return strings.NewReplacer("/", ".", "+", "*").Replace(topic)
}
