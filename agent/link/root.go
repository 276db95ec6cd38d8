package link

import (
	"context"
	"crypto/tls"
	"errors"
	"strconv"

	"gatecast/internal/wire"
)

// Roots is what a Link needs of the trust root.
type Roots interface {
	// Version is that of the root in force.
	Version() uint64
	// Accept verifies the root that follows the one in force and stores it
	// durably.
	Accept(envelope []byte) error
	// Follow is Accept for each of roots and then for the documents of an
	// offer, without a moment between in which neither old nor new ones count.
	Follow(roots [][]byte, plan, manifest []byte, nowUS int64) (*wire.Plan, error)
	// Needed reports whether connections may depend on a later root: it names
	// other CAs than the one in force.
	Needed(envelope []byte) bool
}

// maxChain bounds how many roots are fetched at a time. A device that missed
// more goes on after the next comparison.
const maxChain = 64

// errNoRoot says that the controller has no root of that version.
var errNoRoot = errors.New("there is no such root")

// takeRoot hands an offer of a root to keepPlan.
func (s *session) takeRoot(m Inbound) error {
	offer, err := wire.Decode[wire.RootOffer](m.Data)
	if err != nil {
		return err
	}
	if s.l.o.Roots == nil || offer.Version <= s.l.o.Roots.Version() {
		return nil
	}
	select {
	case s.l.rootOffers <- offer.Version:
	default: // one waits already, and the chain is fetched to its end
	}
	return nil
}

// follow fetches the roots after the one in force, up to version upto; 0 means
// to the last one there is. What it returns is not verified yet. A version that
// the controller does not have ends the chain: offers are not signed, and
// nobody must be able to stop a plan by naming one.
func (l *Link) follow(ctx context.Context, upto uint64) ([][]byte, error) {
	if l.o.Roots == nil {
		return nil, nil
	}
	var chain [][]byte
	have := l.o.Roots.Version()
	for v := have + 1; (upto == 0 || v <= upto) && len(chain) < maxChain; v++ {
		env, err := l.roots.root(ctx, v)
		if errors.Is(err, errNoRoot) {
			break
		}
		if err != nil {
			return nil, err
		}
		chain = append(chain, env)
	}
	return chain, nil
}

// adopt puts roots into force, one after the other, until one does not follow
// from the one before.
func (l *Link) adopt(chain [][]byte) error {
	before := l.o.Roots.Version()
	var err error
	for _, env := range chain {
		if err = l.o.Roots.Accept(env); err != nil {
			break
		}
	}
	l.adopted(before)
	if err != nil {
		l.log.Warn("trust root refused", "held", l.o.Roots.Version(), "err", err)
		l.o.Refused("root", err)
	}
	return err
}

// adopted asks for everything anew if there is a later root than before, and
// connects at once: it may name a CA without which nobody could be reached.
func (l *Link) adopted(before uint64) {
	now := l.o.Roots.Version()
	if now == before {
		return
	}
	l.log.Info("trust root accepted", "version", now, "before", before)
	select {
	case l.rooted <- struct{}{}:
	default:
	}
	select {
	case l.again <- struct{}{}:
	default:
	}
}

// accept puts an offer's documents into force, and the roots before them.
func (l *Link) accept(roots [][]byte, plan, manifest []byte) (*wire.Plan, error) {
	if len(roots) == 0 {
		return l.o.Plans.Accept(plan, manifest, l.trustedUS())
	}
	defer l.adopted(l.o.Roots.Version())
	return l.o.Roots.Follow(roots, plan, manifest, l.trustedUS())
}

// catchUp takes the roots that connections may depend on, when nobody can be
// reached: a CA may have been replaced while the device was away.
func (l *Link) catchUp(ctx context.Context) (chain [][]byte) {
	chain, err := l.follow(ctx, 0)
	if err != nil {
		l.log.Debug("asking for later trust roots", "err", err)
		return nil
	}
	if len(chain) > 0 && l.o.Roots.Needed(chain[len(chain)-1]) {
		_ = l.adopt(chain) // logged there
		return nil
	}
	return chain
}

// anyone accepts every server. Roots come from it and nothing else: each is
// signed by the one before, and public.
func anyone() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}
}

// root fetches a version of the trust root, or errNoRoot.
func (f *Fetcher) root(ctx context.Context, version uint64) ([]byte, error) {
	env, err := f.envelope(ctx, wire.PathRoots+strconv.FormatUint(version, 10))
	if err == nil && env == nil {
		err = errNoRoot
	}
	return env, err
}
