package agent

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gatecast/agent/library"
	"gatecast/agent/link"
	"gatecast/agent/plan"
	"gatecast/agent/playout"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// refusals are the errors that no honest office, network or power cut brings
// about, and what each of them is. The first that matches counts: what is more
// special comes first. An error that is none of them is nobody's attack.
var refusals = []struct {
	err  error
	kind wire.IncidentKind
}{
	{plan.ErrConnection, ""}, // good, and late
	{plan.ErrReplay, wire.IncidentReplayed},
	{link.ErrAgain, wire.IncidentReplayed},
	{seal.ErrExpired, wire.IncidentReplayed},
	{seal.ErrAudience, wire.IncidentOtherDevice},
	{seal.ErrRollback, wire.IncidentRollback},
	{plan.ErrConflict, wire.IncidentConflict},
	{plan.ErrClip, wire.IncidentMixed},
	{seal.ErrType, wire.IncidentMixed},
	{plan.ErrShape, wire.IncidentEnvelope},
	{link.ErrEndless, wire.IncidentEndless},
	{wire.ErrTooLong, wire.IncidentEndless},
	{library.ErrHash, wire.IncidentClipForged},
	{library.ErrContent, wire.IncidentClipForged},
	{link.ErrBytes, wire.IncidentForged},
	{seal.ErrSignature, wire.IncidentForged},
	{seal.ErrUnreadable, wire.IncidentForged},
	{wire.ErrUnreadable, wire.IncidentForged},
}

// incidentOf returns what the refusal of something is, empty where it is not
// an incident.
func incidentOf(what string, err error) wire.IncidentKind {
	for _, r := range refusals {
		if !errors.Is(err, r.err) {
			continue
		}
		if what == string(wire.KindTime) && r.kind != wire.IncidentReplayed && r.kind != "" {
			return wire.IncidentTime
		}
		return r.kind
	}
	return ""
}

// refused reports what somebody tried, if it was an attempt. err may be nil.
func (a *App) refused(what string, err error) {
	if err == nil {
		return
	}
	if kind := incidentOf(what, err); kind != "" {
		a.attacks.Report(kind, what+": "+err.Error())
	}
}

// watchCard reports files that are not what was signed: those found so when
// they were opened, and those that will be.
func (a *App) watchCard() {
	a.clips.OnMismatch(func(sha string) {
		title := ""
		if _, m, _, ok := a.plans.Current(); ok {
			if c, ok := m.Clip(sha); ok {
				title = c.Title
			}
		}
		a.attacks.Report(wire.IncidentCardSwapped, strings.TrimSpace(fmt.Sprintf("clip %s %s", sha, title)))
	})
	if names := a.plans.Mended(); slices.Contains(names, "accepted") {
		a.attacks.Report(wire.IncidentCardSwapped, "plan and manifest")
	}
}

// tls is the configuration of a connection to the controller. Somebody who
// answers there without its certificate is reported; one whose certificate has
// only expired is not: the clock of either side may be wrong.
func (a *App) tls() *tls.Config {
	c := a.id.TLS(a.trustedNow)
	verify := c.VerifyConnection
	c.VerifyConnection = func(state tls.ConnectionState) error {
		err := verify(state)
		if err != nil && impostor(err) {
			a.attacks.Report(wire.IncidentServer, err.Error())
		}
		return err
	}
	return c
}

// impostor reports whether err says that a certificate is not one that the
// controller's own CA gave to a server.
func impostor(err error) bool {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &unknown) || errors.As(err, &invalid) && invalid.Reason != x509.Expired
}

// planChanged is told by the link that plan or clips are other ones. A plan
// that asks for what the ceilings forbid is reported; playout holds them.
func (a *App) planChanged() {
	a.engine.PlanChanged()
	a.evict()
	p, m, _, ok := a.plans.Current()
	if !ok || a.looked.Swap(p) == p {
		return
	}
	if what := playout.Beyond(p, m); what != "" {
		a.attacks.Report(wire.IncidentEnvelope, fmt.Sprintf("plan %d: %s", p.Version, what))
	}
}
