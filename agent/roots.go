package agent

import (
	"hash/fnv"
	"slices"
	"time"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// roots is the trust root as the link sees it.
type roots struct{ a *App }

// Version implements link.Roots.
func (r roots) Version() uint64 { return r.a.plans.Root().Version }

// Accept implements link.Roots. What the root changes takes effect at once:
// which servers count, and what may sound.
func (r roots) Accept(envelope []byte) error {
	defer r.took(r.Version(), r.planned())
	return r.a.plans.AcceptRoot(envelope)
}

// Follow implements link.Roots.
func (r roots) Follow(chain [][]byte, p, manifest []byte, nowUS int64) (*wire.Plan, error) {
	defer r.took(r.Version(), r.planned())
	return r.a.plans.Follow(chain, p, manifest, nowUS)
}

func (r roots) planned() bool {
	_, _, _, ok := r.a.plans.Current()
	return ok
}

// took has everything else go by the root in force, if it is a later one.
func (r roots) took(before uint64, planned bool) {
	if r.Version() == before {
		return
	}
	if err := r.a.id.SetCAs(r.a.plans.Root()); err != nil {
		r.a.log.Error("using the CAs of the trust root", "err", err)
	}
	if planned && !r.planned() {
		r.a.log.Warn("the plan in force was sealed with a key that is retired; silent until the next one")
		r.a.engine.PlanChanged()
	}
	select {
	case r.a.rooted <- struct{}{}:
	default:
	}
}

// Needed implements link.Roots. The envelope is looked into before anything is
// verified; at worst a root is fetched for nothing.
func (r roots) Needed(envelope []byte) bool {
	next, err := seal.Peek[wire.Root](envelope)
	return err == nil && !slices.EqualFunc(next.CAs, r.a.plans.Root().CAs, slices.Equal[[]byte])
}

// renewSpread is over how long a fleet renews its certificates after the CA
// was rotated.
const renewSpread = time.Minute

// spread returns this device's share of renewSpread, the same each time.
func (r roots) spread() time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.a.id.Device)) // never fails
	return time.Duration(h.Sum32()) * time.Microsecond % renewSpread
}
