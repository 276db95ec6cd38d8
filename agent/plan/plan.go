// Package plan keeps the signed documents that a device obeys: the trust root
// it was enrolled with, the newest manifest of what may sound at all, and the
// newest plan of what sounds here and when.
//
// Nothing is believed because it lies on the card: signatures are checked
// again when the store opens. A document that is refused changes nothing; the
// one before goes on. Versions never go back.
//
// On disk, each replaced as a whole: accepted (plan and manifest in one file,
// so that they cannot mix), held (their versions and hashes, which count when
// accepted itself is damaged), counter (the highest command counter), root and
// root-copy (the trust roots that followed the pinned one, twice: without them
// keys that were retired would count again), revoked (the controller's word
// that this device plays no more; nothing is in force then), mute and
// mute-copy (the controller's last word about silence, twice: a device that
// can read neither is silent until it is told again).
//
// A Store is safe for concurrent use. Plans and manifests that it returns are
// shared and must not be changed.
package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	_ "time/tzdata" // the zone of a plan must load on a device without a zone database

	"gatecast/internal/durable"
	"gatecast/internal/evidence"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// Errors that callers tell apart, besides those of package seal.
var (
	// ErrConflict means another document of a version that is already held.
	ErrConflict = errors.New("another document of the same version")
	// ErrClip means a clip that no manifest allows.
	ErrClip = errors.New("clip is not in the manifest")
	// ErrShape means a document whose content makes no sense.
	ErrShape = errors.New("document makes no sense")
	// ErrReplay means an answer or a command for another connection, or one
	// that was executed before.
	ErrReplay = errors.New("not for this connection")
	// ErrConnection means a command that is good and for another connection: it
	// may have waited while this device connected anew. It is an ErrReplay.
	ErrConnection = fmt.Errorf("%w", ErrReplay)
	// ErrRevoked means that the controller has revoked this device.
	ErrRevoked = errors.New("device is revoked")
)

const (
	acceptedName = "accepted"
	heldName     = "held"
	counterName  = "counter"
	revokedName  = "revoked"
)

// pair is what is in force.
type pair struct {
	plan     *wire.Plan
	manifest *wire.Manifest
	planEnv  []byte
	manEnv   []byte
	planHash string
}

// Store is the open store.
type Store struct {
	dir    string         // immutable
	fs     durable.Volume // immutable
	device wire.DeviceID  // immutable

	mu       sync.Mutex
	root     *wire.Root
	roots    [][]byte     // envelopes from the pinned root to the one in force
	before   []*wire.Root // from the pinned root to the one before that in force
	library  []seal.PublicKey
	director []seal.PublicKey
	receipts []seal.PublicKey // director's keys, and those before: for what they left behind
	now      *pair            // nil when nothing was accepted yet
	held     held
	mended   []string
	counter  uint64
	revoked  bool
	mute     muted
	muteHeld bool // a word of silence that the card did not keep yet
	muteLost bool // the card lost what was said
}

// Open opens the store in dir, creating it when there is none. root is the
// envelope of the trust root that was pinned at enrolment. Stored documents
// that do not verify any more are left aside, with no error: the controller
// sends them again, and none of lower versions are accepted. Mended names what
// was damaged. disk is where dir is; nil means the
// real one.
func Open(dir string, device wire.DeviceID, root []byte, disk durable.FS) (*Store, error) {
	if !device.Valid() {
		return nil, fmt.Errorf("opening plan store: device %q is no valid name", device)
	}
	v := durable.On(disk)
	if err := v.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening plan store: %w", err)
	}
	if _, err := v.Clean(dir); err != nil {
		return nil, fmt.Errorf("opening plan store: %w", err)
	}
	s := &Store{dir: dir, fs: v, device: device}
	if err := s.loadRoot(root); err != nil {
		return nil, fmt.Errorf("opening plan store: %w", err)
	}
	s.mendRoots()
	s.loadCounter()
	s.loadRevoked()
	s.loadMute()
	s.loadHeld()
	before := s.held
	s.loadAccepted()
	if s.held != before {
		s.hold()
	}
	return s, nil
}

// Root returns the trust root in force.
func (s *Store) Root() *wire.Root {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.root
}

// Current returns the plan and manifest in force and the hash of the plan's
// envelope. ok is false while nothing was accepted, and for good once the
// device was revoked.
func (s *Store) Current() (p *wire.Plan, m *wire.Manifest, hash string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || s.revoked {
		return nil, nil, "", false
	}
	return s.now.plan, s.now.manifest, s.now.planHash, true
}

// ManifestEnvelope returns the envelope of the manifest in force, nil when
// there is none: an offer that names the same one need not be fetched.
func (s *Store) ManifestEnvelope() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil {
		return nil
	}
	return s.now.manEnv
}

// Accept puts the plan and the manifest of an offer into force if everything
// about them holds: signatures by the roles' keys, type and device, versions
// not below the ones held, not expired at nowUS (trusted time; 0 when there is
// none), every clip allowed, and content that makes sense. On return they
// survive loss of power. On an error the ones before stay in force. Accepting
// the documents in force again is no error and writes nothing.
func (s *Store) Accept(planEnv, manifestEnv []byte, nowUS int64) (*wire.Plan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accept(planEnv, manifestEnv, nowUS)
}

// Follow is AcceptRoot for each of roots, then Accept, as one step: documents
// that hold by the last of them take over from those that do not any more, and
// nothing is without a plan in between. Roots that do not follow are passed
// over; the documents are judged by those that do.
func (s *Store) Follow(roots [][]byte, planEnv, manifestEnv []byte, nowUS int64) (*wire.Plan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var bad error
	for _, env := range roots {
		if bad = s.acceptRoot(env); bad != nil {
			break
		}
	}
	p, err := s.accept(planEnv, manifestEnv, nowUS)
	if err != nil {
		s.retire()
		return nil, errors.Join(err, bad)
	}
	return p, nil
}

func (s *Store) accept(planEnv, manifestEnv []byte, nowUS int64) (*wire.Plan, error) {
	if s.revoked {
		return nil, fmt.Errorf("accepting plan: %w", ErrRevoked)
	}
	next, err := s.open(planEnv, manifestEnv, nowUS)
	if err != nil {
		return nil, fmt.Errorf("accepting plan: %w", err)
	}
	if s.now != nil && bytes.Equal(s.now.planEnv, next.planEnv) && bytes.Equal(s.now.manEnv, next.manEnv) {
		return s.now.plan, nil
	}
	if err := s.fs.WriteFile(filepath.Join(s.dir, acceptedName), joinPair(next.planEnv, next.manEnv), 0o600); err != nil {
		return nil, fmt.Errorf("storing plan: %w", err)
	}
	s.now, s.held = next, next.held()
	s.hold()
	return next.plan, nil
}

// open checks both documents, in the order of the rules.
func (s *Store) open(planEnv, manifestEnv []byte, nowUS int64) (*pair, error) {
	next := &pair{planEnv: bytes.Clone(planEnv), manEnv: bytes.Clone(manifestEnv), planHash: seal.Hash(planEnv)}
	var m wire.Manifest
	want := seal.Expect{Type: wire.DocManifest, Device: s.device, MinVersion: s.held.Manifest, NowUS: nowUS}
	if _, err := seal.Open(manifestEnv, s.library, want, &m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	var p wire.Plan
	want = seal.Expect{Type: wire.DocPlan, Device: s.device, MinVersion: s.held.Plan, NowUS: nowUS}
	h, err := seal.Open(planEnv, s.director, want, &p)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if h.Device != s.device {
		return nil, fmt.Errorf("plan: %w: a plan is for one device", seal.ErrAudience)
	}
	if p.Version == s.held.Plan && s.held.PlanHash != "" && next.planHash != s.held.PlanHash {
		return nil, fmt.Errorf("plan: %w: %d", ErrConflict, p.Version)
	}
	if m.Version == s.held.Manifest && s.held.ManifestHash != "" && seal.Hash(manifestEnv) != s.held.ManifestHash {
		return nil, fmt.Errorf("manifest: %w: %d", ErrConflict, m.Version)
	}
	if err := check(&p, &m); err != nil {
		return nil, err
	}
	next.plan, next.manifest = &p, &m
	return next, nil
}

// loadAccepted opens what was accepted before. Expiry is not looked at: it
// decides what sounds, not what is held. A pair that is not the one held was
// changed where no signature looks: the controller would take it for another.
func (s *Store) loadAccepted() {
	data, err := s.fs.ReadFile(filepath.Join(s.dir, acceptedName))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var planEnv, manEnv []byte
	if err == nil {
		planEnv, manEnv, err = splitPair(data)
	}
	if err == nil {
		var p *pair
		if p, err = s.open(planEnv, manEnv, 0); err == nil {
			s.now, s.held = p, p.held()
			return
		}
	}
	if err != nil && s.wereGood(planEnv, manEnv) {
		// A power cut came between a root and the documents that hold by it.
		_ = s.fs.Remove(filepath.Join(s.dir, acceptedName))
		return
	}
	s.mended = append(s.mended, acceptedName)
	// Kept for whoever looks into it. A disk that cannot rename keeps it under
	// its name, until the next accepted pair takes its place.
	_ = s.fs.Rename(filepath.Join(s.dir, acceptedName), filepath.Join(s.dir, acceptedName+".refused"))
}

// wereGood reports whether documents that do not hold by the root in force did
// by one before it.
func (s *Store) wereGood(planEnv, manEnv []byte) bool {
	for _, root := range s.before {
		t := Store{device: s.device}
		if t.useRoot(root) != nil {
			continue
		}
		if _, err := t.open(planEnv, manEnv, 0); err == nil {
			return true
		}
	}
	return false
}

// Damaged reports whether stored documents were put aside because they did
// not verify.
func (s *Store) Damaged() bool {
	_, err := s.fs.Stat(filepath.Join(s.dir, acceptedName+".refused"))
	return err == nil
}

// The stored pair begins with one line that tells the lengths.
const pairHead = "gatecast accepted 1 "

func joinPair(planEnv, manEnv []byte) []byte {
	head := pairHead + strconv.Itoa(len(planEnv)) + " " + strconv.Itoa(len(manEnv)) + "\n"
	return append(append([]byte(head), planEnv...), manEnv...)
}

func splitPair(data []byte) (planEnv, manEnv []byte, err error) {
	line, rest, ok := bytes.Cut(data, []byte("\n"))
	fields := strings.Fields(strings.TrimPrefix(string(line), pairHead))
	if !ok || !bytes.HasPrefix(line, []byte(pairHead)) || len(fields) != 2 {
		return nil, nil, errors.New("stored plan: no head line")
	}
	n, err1 := strconv.Atoi(fields[0])
	m, err2 := strconv.Atoi(fields[1])
	if err := errors.Join(err1, err2); err != nil || n < 0 || m < 0 || n > len(rest) || m != len(rest)-n {
		return nil, nil, fmt.Errorf("stored plan: lengths %q do not match %d bytes", fields, len(rest))
	}
	return rest[:n], rest[n:], nil
}

// openRoot verifies the envelope of a root by trusted keys, or by the keys
// inside it when trusted is nil.
func openRoot(envelope []byte, trusted []seal.PublicKey) (*wire.Root, error) {
	var root wire.Root
	if trusted == nil {
		var outer struct {
			Payload []byte `json:"payload"`
		}
		if err := json.Unmarshal(envelope, &outer); err != nil {
			return nil, fmt.Errorf("parsing trust root: %w", err)
		}
		if err := json.Unmarshal(outer.Payload, &root); err != nil {
			return nil, fmt.Errorf("parsing trust root: %w", err)
		}
		keys, err := seal.ParsePublicKeys(root.RootKeys)
		if err != nil {
			return nil, fmt.Errorf("trust root: %w", err)
		}
		root, trusted = wire.Root{}, keys
	}
	if _, err := seal.Open(envelope, trusted, seal.Expect{Type: wire.DocRoot}, &root); err != nil {
		return nil, fmt.Errorf("opening trust root: %w", err)
	}
	return &root, nil
}

// loadRoot takes the pinned root, and the rotated one when it follows from it.
func (s *Store) loadRoot(pinned []byte) error {
	root, err := openRoot(pinned, nil)
	if err != nil {
		return err
	}
	if err := s.useRoot(root); err != nil {
		return err
	}
	for _, name := range rootNames {
		if chain := s.rootsIn(name, root); len(chain) > len(s.roots) {
			s.roots = chain
		}
	}
	for _, env := range s.roots { // each was verified
		next, err := s.nextRoot(env)
		if err != nil {
			return err
		}
		if err := s.useRoot(next); err != nil {
			return err
		}
	}
	return nil
}

// AcceptRoot puts the next trust root into force: one that a key of the root
// before and one of its own keys signed, with the version after it. On return
// it survives loss of power. Plan and manifest that do not hold under it any
// more are in force no longer: a key was retired because it is not to be
// believed. The root in force again is no error and writes nothing.
func (s *Store) AcceptRoot(envelope []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.acceptRoot(envelope); err != nil {
		return err
	}
	s.retire()
	return nil
}

func (s *Store) acceptRoot(envelope []byte) error {
	next, err := s.nextRoot(envelope)
	if err != nil {
		return fmt.Errorf("accepting trust root: %w", err)
	}
	if next.Version == s.root.Version {
		return nil
	}
	chain := append(slices.Clone(s.roots), bytes.Clone(envelope))
	for _, name := range rootNames {
		if err := s.writeRoots(name, chain); err != nil {
			return fmt.Errorf("storing trust root: %w", err)
		}
	}
	s.roots = chain
	return s.useRoot(next)
}

// retire drops documents by keys that the root does not name any more. Their
// versions stay held. A disk that does not let go of the file has it put aside
// by the next Open.
func (s *Store) retire() {
	if s.now == nil {
		return
	}
	if _, err := s.open(s.now.planEnv, s.now.manEnv, 0); err == nil {
		return
	}
	s.now = nil
	if s.fs.Remove(filepath.Join(s.dir, acceptedName)) == nil {
		_ = s.fs.SyncDir(s.dir)
	}
}

// nextRoot verifies a root that follows the one in force.
func (s *Store) nextRoot(envelope []byte) (*wire.Root, error) {
	old, err := seal.ParsePublicKeys(s.root.RootKeys)
	if err != nil {
		return nil, err
	}
	next, err := openRoot(envelope, old)
	if err != nil {
		return nil, err
	}
	if _, err := openRoot(envelope, nil); err != nil {
		return nil, err
	}
	switch {
	case next.Version < s.root.Version:
		return nil, fmt.Errorf("%w: %d < %d", seal.ErrRollback, next.Version, s.root.Version)
	case next.Version > s.root.Version+1:
		return nil, fmt.Errorf("%w: root %d does not follow %d", ErrShape, next.Version, s.root.Version)
	}
	return next, nil
}

func (s *Store) useRoot(root *wire.Root) error {
	library, err := seal.ParsePublicKeys(root.LibraryKeys)
	if err != nil {
		return fmt.Errorf("trust root: library keys: %w", err)
	}
	director, err := seal.ParsePublicKeys(root.DirectorKeys)
	if err != nil {
		return fmt.Errorf("trust root: director keys: %w", err)
	}
	receipts, err := evidence.ReceiptKeys(*root)
	if err != nil {
		return fmt.Errorf("trust root: past director keys: %w", err)
	}
	if s.root != nil {
		s.before = append(s.before, s.root)
	}
	s.root, s.library, s.director, s.receipts = root, library, director, receipts
	return nil
}
