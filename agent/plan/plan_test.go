package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

const device wire.DeviceID = "d0123456789abcdef01234567"

var issued = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func shaOf(n int) string { return strings.Repeat(string("0123456789abcdef"[n]), 64) }

// office signs documents as a controller does.
type office struct {
	root, library, director seal.Key
}

func newOffice(t testing.TB) office {
	t.Helper()
	var o office
	for _, k := range []*seal.Key{&o.root, &o.library, &o.director} {
		key, err := seal.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		*k = key
	}
	return o
}

func sign(t testing.TB, doc any, keys ...seal.Key) []byte {
	t.Helper()
	env, err := seal.Sign(doc, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func (o office) rootDoc(version uint64) wire.Root {
	return wire.Root{
		Header:   wire.Header{Type: wire.DocRoot, Version: version, IssuedUS: wire.US(issued)},
		RootKeys: []string{o.root.Public().String()}, LibraryKeys: []string{o.library.Public().String()},
		DirectorKeys: []string{o.director.Public().String()}, CAs: [][]byte{{1}},
	}
}

func manifestDoc(version uint64, clips ...int) wire.Manifest {
	m := wire.Manifest{
		Header:   wire.Header{Type: wire.DocManifest, Version: version, IssuedUS: wire.US(issued), ExpiresUS: wire.US(issued.AddDate(1, 0, 0))},
		Ceilings: wire.Ceilings{Zone: "Asia/Shanghai", Allowed: []wire.DailyWindow{{FirstMin: 360, LastMin: 1320}}, MaxPlaysPerHour: 12, MaxClipS: 180},
	}
	for _, n := range clips {
		m.Clips = append(m.Clips, wire.ManifestClip{SHA256: shaOf(n), Title: "clip", Bytes: 1000, Rate: 24_000, Frames: 24_000, GainDB: -3})
	}
	return m
}

func planDoc(version uint64, clips ...int) wire.Plan {
	p := wire.Plan{
		Header: wire.Header{Type: wire.DocPlan, Device: device, Version: version, IssuedUS: wire.US(issued), ExpiresUS: wire.US(issued.AddDate(0, 3, 0))},
		Point:  "SF-01", PointName: "松风南门", Zone: "Asia/Shanghai", FromS: issued.Unix(), HorizonS: issued.AddDate(0, 0, 60).Unix(), NeedLevel: wire.T1,
	}
	for _, n := range clips {
		p.Clips = append(p.Clips, shaOf(n))
	}
	for d := range 3 {
		start := issued.AddDate(0, 0, d)
		p.Slots = append(p.Slots, wire.PlanSlot{
			ID: wire.SlotID(start.Format(time.DateOnly) + ".gates.morning"), Name: "早", StartS: start.Unix(), EndS: start.Unix() + 1800,
			EveryS: 300, Count: 6, Playlist: []int{0}, GraceS: 60,
		})
	}
	return p
}

func openStore(t testing.TB, dir string, o office) *Store {
	t.Helper()
	s, err := Open(dir, device, sign(t, o.rootDoc(1), o.root), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAcceptedPlanIsInForceAfterARestart(t *testing.T) {
	o, dir := newOffice(t), t.TempDir()
	s := openStore(t, dir, o)
	if _, _, _, ok := s.Current(); ok || s.ManifestEnvelope() != nil {
		t.Error("a new store has a plan")
	}
	p, m := planDoc(7, 1), manifestDoc(3, 1, 2)
	planEnv, manEnv := sign(t, p, o.director), sign(t, m, o.library)
	got, err := s.Accept(planEnv, manEnv, wire.US(issued))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&p, got); diff != "" {
		t.Errorf("accepted plan (-want +got):\n%s", diff)
	}
	for name, s := range map[string]*Store{"at_once": s, "reopened": openStore(t, dir, o)} {
		gotP, gotM, hash, ok := s.Current()
		if !ok || hash != seal.Hash(planEnv) || !bytes.Equal(s.ManifestEnvelope(), manEnv) || s.Damaged() {
			t.Errorf("%s: ok %v hash %q", name, ok, hash)
		}
		if diff := cmp.Diff(&p, gotP) + cmp.Diff(&m, gotM); diff != "" {
			t.Errorf("%s: documents (-want +got):\n%s", name, diff)
		}
	}
}

func TestAcceptRefuses(t *testing.T) {
	o, stranger := newOffice(t), newOffice(t)
	change := func(f func(*wire.Plan)) wire.Plan { p := planDoc(8, 1); f(&p); return p }
	changeM := func(f func(*wire.Manifest)) wire.Manifest { m := manifestDoc(4, 1); f(&m); return m }
	now := wire.US(issued)
	tests := map[string]struct {
		plan     []byte
		manifest []byte
		now      int64
		want     error
	}{
		"plan_of_a_stranger":        {sign(t, planDoc(8, 1), stranger.director), nil, now, seal.ErrSignature},
		"plan_by_the_library_key":   {sign(t, planDoc(8, 1), o.library), nil, now, seal.ErrSignature},
		"plan_by_the_root_key":      {sign(t, planDoc(8, 1), o.root), nil, now, seal.ErrSignature},
		"manifest_by_the_director":  {nil, sign(t, manifestDoc(4, 1), o.director), now, seal.ErrSignature},
		"manifest_in_place_of_plan": {sign(t, manifestDoc(8, 1), o.director), nil, now, seal.ErrType},
		"plan_in_place_of_manifest": {nil, sign(t, planDoc(8, 1), o.library), now, seal.ErrType},
		"another_device":            {sign(t, change(func(p *wire.Plan) { p.Device = "dother" }), o.director), nil, now, seal.ErrAudience},
		"plan_for_every_device":     {sign(t, change(func(p *wire.Plan) { p.Device = "" }), o.director), nil, now, seal.ErrAudience},
		"older_plan":                {sign(t, planDoc(6, 1), o.director), nil, now, seal.ErrRollback},
		"older_manifest":            {nil, sign(t, manifestDoc(2, 1), o.library), now, seal.ErrRollback},
		"other_plan_same_version":   {sign(t, planDoc(7, 1, 2), o.director), nil, now, ErrConflict},
		"other_manifest_same":       {nil, sign(t, manifestDoc(3, 1), o.library), now, ErrConflict},
		"expired_plan":              {nil, nil, wire.US(issued.AddDate(0, 3, 0)), seal.ErrExpired},
		"expired_manifest": {nil, sign(t, changeM(func(m *wire.Manifest) { m.ExpiresUS = wire.US(issued.Add(-1)) }), o.library), now,
			seal.ErrExpired},
		"clip_without_approval": {sign(t, planDoc(8, 1, 5), o.director), nil, now, ErrClip},
		"playlist_outside":      {sign(t, change(func(p *wire.Plan) { p.Slots[0].Playlist = []int{1} }), o.director), nil, now, ErrShape},
		"unsorted_slots": {sign(t, change(func(p *wire.Plan) { p.Slots[0], p.Slots[1] = p.Slots[1], p.Slots[0] }), o.director), nil, now,
			ErrShape},
		"slot_twice": {sign(t, change(func(p *wire.Plan) { p.Slots[1] = p.Slots[0] }), o.director), nil, now, ErrShape},
		"ends_before_it_starts": {sign(t, change(func(p *wire.Plan) { p.Slots[0].EndS = p.Slots[0].StartS }), o.director), nil, now,
			ErrShape},
		"last_play_after_the_end": {sign(t, change(func(p *wire.Plan) {
			for i := range p.Slots {
				p.Slots[i].Count = 7
			}
		}), o.director), nil, now, ErrShape},
		"plays_without_interval": {sign(t, change(func(p *wire.Plan) {
			for i := range p.Slots {
				p.Slots[i].EveryS = 0
			}
		}), o.director), nil, now, ErrShape},
		"default_not_in_plan": {sign(t, change(func(p *wire.Plan) { p.Default = strings.Repeat("e", 64) }), o.director), nil, now, ErrShape},
		"stale_before_it_is":  {sign(t, change(func(p *wire.Plan) { p.StaleS = -1 }), o.director), nil, now, ErrShape},
		"endless_grace":       {sign(t, change(func(p *wire.Plan) { p.Slots[0].GraceS = 1 << 40 }), o.director), nil, now, ErrShape},
		"negative_grace":      {sign(t, change(func(p *wire.Plan) { p.Slots[0].GraceS = -1 }), o.director), nil, now, ErrShape},
		"huge_gain":           {sign(t, change(func(p *wire.Plan) { p.Slots[0].GainDB = 200 }), o.director), nil, now, ErrShape},
		"unknown_zone":        {sign(t, change(func(p *wire.Plan) { p.Zone = "Asia/Atlantis" }), o.director), nil, now, ErrShape},
		"no_zone":             {sign(t, change(func(p *wire.Plan) { p.Zone = "" }), o.director), nil, now, ErrShape},
		"machine_zone":        {nil, sign(t, changeM(func(m *wire.Manifest) { m.Ceilings.Zone = "Local" }), o.library), now, ErrShape},
		"empty_window": {nil, sign(t, changeM(func(m *wire.Manifest) { m.Ceilings.Allowed = []wire.DailyWindow{{FirstMin: 5, LastMin: 5}} }), o.library), now,
			ErrShape},
		"long_day": {nil, sign(t, changeM(func(m *wire.Manifest) { m.Ceilings.Allowed = []wire.DailyWindow{{FirstMin: 5, LastMin: 1441}} }), o.library), now,
			ErrShape},
		"clip_name_with_a_path": {nil, sign(t, changeM(func(m *wire.Manifest) { m.Clips[0].SHA256 = "../" + shaOf(1)[3:] }), o.library), now,
			ErrShape},
		"clip_without_length": {nil, sign(t, changeM(func(m *wire.Manifest) { m.Clips[0].Frames = 0 }), o.library), now, ErrShape},
		"garbage":             {[]byte("{"), nil, now, errAny},
		"nothing":             {[]byte{}, nil, now, errAny},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openStore(t, dir, o)
			first := sign(t, planDoc(7, 1), o.director)
			if _, err := s.Accept(first, sign(t, manifestDoc(3, 1, 2), o.library), now); err != nil {
				t.Fatal(err)
			}
			if tt.plan == nil {
				tt.plan = sign(t, planDoc(8, 1), o.director)
			}
			if tt.manifest == nil {
				tt.manifest = sign(t, manifestDoc(4, 1), o.library)
			}
			p, err := s.Accept(tt.plan, tt.manifest, tt.now)
			if err == nil || p != nil || tt.want != errAny && !errors.Is(err, tt.want) {
				t.Fatalf("Accept = %v, %v, want %v", p, err, tt.want)
			}
			for _, s := range []*Store{s, openStore(t, dir, o)} {
				if _, _, hash, ok := s.Current(); !ok || hash != seal.Hash(first) {
					t.Error("the plan before is not in force any more")
				}
			}
		})
	}
}

var errAny = errors.New("any error")

func TestAcceptWithoutTrustedTimeSkipsExpiry(t *testing.T) {
	o := newOffice(t)
	s := openStore(t, t.TempDir(), o)
	p := planDoc(7, 1)
	p.ExpiresUS = 1
	if _, err := s.Accept(sign(t, p, o.director), sign(t, manifestDoc(3, 1), o.library), 0); err != nil {
		t.Errorf("Accept = %v", err)
	}
}

func TestSameDocumentsAgainWriteNothing(t *testing.T) {
	o, dir := newOffice(t), t.TempDir()
	s := openStore(t, dir, o)
	planEnv, manEnv := sign(t, planDoc(7, 1), o.director), sign(t, manifestDoc(3, 1), o.library)
	first, err := s.Accept(planEnv, manEnv, 0)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(filepath.Join(dir, acceptedName))
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Accept(planEnv, manEnv, 0)
	if err != nil || again != first {
		t.Fatalf("Accept again = %p, %v, want %p", again, err, first)
	}
	after, err := os.Stat(filepath.Join(dir, acceptedName))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was written again (%v)", err)
	}
}

func TestNewManifestAloneIsTaken(t *testing.T) {
	o := newOffice(t)
	s := openStore(t, t.TempDir(), o)
	planEnv := sign(t, planDoc(7, 1), o.director)
	if _, err := s.Accept(planEnv, sign(t, manifestDoc(3, 1), o.library), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accept(planEnv, sign(t, manifestDoc(4, 1, 2), o.library), 0); err != nil {
		t.Fatal(err)
	}
	if _, m, _, _ := s.Current(); m.Version != 4 {
		t.Errorf("manifest %d in force, want 4", m.Version)
	}
}

func TestStoredDocumentsAreVerifiedAgain(t *testing.T) {
	o, stranger := newOffice(t), newOffice(t)
	good := func(o office) []byte {
		return joinPair(sign(t, planDoc(7, 1), o.director), sign(t, manifestDoc(3, 1), o.library))
	}
	tests := map[string][]byte{
		"of_a_stranger": good(stranger),
		"empty":         {},
		"cut":           good(o)[:200],
		"changed":       bytes.Replace(good(o), []byte("payload\":\""), []byte("payload\":\"A"), 1),
		"mixed_lengths": bytes.Replace(good(o), []byte(pairHead), []byte(pairHead+"1"), 1),
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, acceptedName), content, 0o600); err != nil {
				t.Fatal(err)
			}
			s := openStore(t, dir, o)
			if _, _, _, ok := s.Current(); ok || !s.Damaged() {
				t.Errorf("in force %v, damaged %v", ok, s.Damaged())
			}
			if _, err := s.Accept(sign(t, planDoc(7, 1), o.director), sign(t, manifestDoc(3, 1), o.library), 0); err != nil {
				t.Errorf("Accept afterwards: %v", err)
			}
		})
	}
}

func TestOpenRefusesARootThatDoesNotHold(t *testing.T) {
	o, stranger := newOffice(t), newOffice(t)
	bad := o.rootDoc(1)
	bad.DirectorKeys = []string{"AAAA"}
	tests := map[string][]byte{
		"signed_by_another": sign(t, o.rootDoc(1), stranger.root),
		"empty":             nil,
		"a_plan":            sign(t, planDoc(1, 1), o.root),
		"bad_key":           sign(t, bad, o.root),
	}
	for name, root := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(t.TempDir(), device, root, nil); err == nil {
				t.Error("Open succeeded")
			}
		})
	}
	if _, err := Open(t.TempDir(), "no device", sign(t, o.rootDoc(1), o.root), nil); err == nil {
		t.Error("Open for an invalid device succeeded")
	}
}

func TestRootRotates(t *testing.T) {
	one, two, dir := newOffice(t), newOffice(t), t.TempDir()
	s := openStore(t, dir, one)
	for name, env := range map[string][]byte{
		"not_by_the_old_root": sign(t, two.rootDoc(2), two.root),
		"not_by_itself":       sign(t, two.rootDoc(2), one.root),
		"leap":                sign(t, two.rootDoc(3), one.root, two.root),
		"backward":            sign(t, one.rootDoc(0), one.root),
	} {
		if err := s.AcceptRoot(env); err == nil {
			t.Errorf("%s: AcceptRoot succeeded", name)
		}
	}
	if err := s.AcceptRoot(sign(t, two.rootDoc(2), one.root, two.root)); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Store{"at_once": s, "reopened": openStore(t, dir, one)} {
		if s.Root().Version != 2 {
			t.Errorf("%s: root %d in force, want 2", name, s.Root().Version)
		}
		if _, err := s.Accept(sign(t, planDoc(7, 1), one.director), sign(t, manifestDoc(3, 1), one.library), 0); !errors.Is(err, seal.ErrSignature) {
			t.Errorf("%s: plan of the old director = %v", name, err)
		}
		if _, err := s.Accept(sign(t, planDoc(7, 1), two.director), sign(t, manifestDoc(3, 1), two.library), 0); err != nil {
			t.Errorf("%s: plan of the new director: %v", name, err)
		}
	}
}

func TestVerifyTime(t *testing.T) {
	o := newOffice(t)
	s := openStore(t, t.TempDir(), o)
	answer := wire.TimeAnswer{Header: wire.Header{Type: wire.DocTime, Device: device}, Nonce: "n1", NowUS: wire.US(issued)}
	if got, err := s.VerifyTime(sign(t, answer, o.director), "n1"); err != nil || got.NowUS != answer.NowUS {
		t.Errorf("VerifyTime = %+v, %v", got, err)
	}
	if _, err := s.VerifyTime(sign(t, answer, o.director), "n2"); !errors.Is(err, ErrReplay) {
		t.Errorf("another nonce = %v, want ErrReplay", err)
	}
	if _, err := s.VerifyTime(sign(t, answer, o.library), "n1"); !errors.Is(err, seal.ErrSignature) {
		t.Errorf("another key = %v, want ErrSignature", err)
	}
	answer.Nonce = ""
	if _, err := s.VerifyTime(sign(t, answer, o.director), ""); !errors.Is(err, ErrReplay) {
		t.Errorf("no nonce = %v, want ErrReplay", err)
	}
}

func TestVerifyCommand(t *testing.T) {
	o, dir := newOffice(t), t.TempDir()
	s := openStore(t, dir, o)
	command := func(f func(*wire.Command)) []byte {
		c := wire.Command{
			Header: wire.Header{Type: wire.DocCommand, Device: device, IssuedUS: wire.US(issued), ExpiresUS: wire.US(issued.Add(5 * time.Minute))},
			ID:     "c1", Counter: 5, Nonce: "n1", Do: "stop",
		}
		f(&c)
		return sign(t, c, o.director)
	}
	good := command(func(*wire.Command) {})
	tests := []struct {
		name  string
		env   []byte
		nonce string
		now   time.Time
		want  error
	}{
		{"another_connection", good, "n2", issued, ErrReplay},
		{"expired", good, "n1", issued.Add(5 * time.Minute), seal.ErrExpired},
		{"for_every_device", command(func(c *wire.Command) { c.Device = "" }), "n1", issued, seal.ErrAudience},
		{"lives_too_long", command(func(c *wire.Command) { c.ExpiresUS++ }), "n1", issued, ErrShape},
		{"lives_for_ever", command(func(c *wire.Command) { c.ExpiresUS = 0 }), "n1", issued, ErrShape},
		{"good", good, "n1", issued, nil},
		{"again", good, "n1", issued, ErrReplay},
		{"lower_counter", command(func(c *wire.Command) { c.Counter = 4 }), "n1", issued, ErrReplay},
		{"next", command(func(c *wire.Command) { c.Counter = 6 }), "n1", issued, nil},
	}
	for _, tt := range tests {
		if _, err := s.VerifyCommand(tt.env, tt.nonce, wire.US(tt.now)); !errors.Is(err, tt.want) {
			t.Errorf("%s: VerifyCommand = %v, want %v", tt.name, err, tt.want)
		}
	}
	s = openStore(t, dir, o)
	if _, err := s.VerifyCommand(command(func(c *wire.Command) { c.Counter = 6 }), "n1", 0); !errors.Is(err, ErrReplay) {
		t.Errorf("after a restart = %v, want ErrReplay", err)
	}
}

func FuzzPair(f *testing.F) {
	f.Add(joinPair([]byte("plan"), []byte("manifest")))
	f.Add([]byte(pairHead + "1 2\nabc"))
	f.Add([]byte(pairHead + "-1 2\na"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, m, err := splitPair(data)
		if err == nil {
			if p2, m2, err := splitPair(joinPair(p, m)); err != nil || !bytes.Equal(p, p2) || !bytes.Equal(m, m2) {
				t.Errorf("pair of %q does not come back: %v", data, err)
			}
		}
	})
}

// FuzzCheck holds that no signed content is accepted that playout cannot
// expand, or that takes the device down.
func FuzzCheck(f *testing.F) {
	p, err := json.Marshal(planDoc(7, 1))
	if err != nil {
		f.Fatal(err)
	}
	m, err := json.Marshal(manifestDoc(3, 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p, m)
	f.Fuzz(func(t *testing.T, planJSON, manifestJSON []byte) {
		var p wire.Plan
		var m wire.Manifest
		if json.Unmarshal(planJSON, &p) != nil || json.Unmarshal(manifestJSON, &m) != nil || check(&p, &m) != nil {
			return
		}
		for _, s := range p.Slots {
			plays, err := p.Plays(s)
			if err != nil || len(plays) == 0 || !plays[len(plays)-1].At.Before(time.Unix(s.EndS, 0)) {
				t.Errorf("slot %+v: %d plays, %v", s, len(plays), err)
			}
			for _, play := range plays {
				if _, ok := m.Clip(play.Clip); !ok {
					t.Errorf("play %s sounds a clip that is not allowed", play.ID)
				}
			}
		}
	})
}
