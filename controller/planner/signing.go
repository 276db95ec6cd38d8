package planner

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/seal"
	"gatecast/internal/signing"
	"gatecast/internal/wire"
)

// Signing is what the approver signs on a machine of their own, in strict
// mode.
type Signing struct {
	Strict   bool
	Manifest wire.Manifest // to be signed, with its header
	Previous []byte        // envelope of the manifest in force; nil for none
	Held     uint64        // its version; 0 for none
	Library  []fleet.Clip  // of Manifest
	Waiting  []fleet.Clip  // signed off in the office, and not in that manifest as they are now
	Gone     int           // in that manifest, and not in the library any more
	Ceilings bool          // they are others than in that manifest
	Retired  bool          // that manifest is by a key which was replaced since
}

// Due reports whether anything waits for a signature. What only leaves the
// library does not: plans leave it out at once, and devices are told.
func (s Signing) Due() bool { return len(s.Waiting) > 0 || s.Ceilings || s.Retired }

// Signing returns what is to be signed now.
func (p *Planner) Signing(ctx context.Context, now time.Time) (Signing, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, err := p.load(ctx, now)
	if err != nil {
		return Signing{}, err
	}
	s := Signing{Strict: p.o.Sealer.Strict(), Manifest: p.wanted(w)}
	held, env, err := p.heldManifest(ctx)
	if err != nil {
		return Signing{}, err
	}
	s.Previous, s.Held = env, held.Version
	s.Retired = env != nil && !p.o.Sealer.InForce(wire.DocManifest, env)
	if s.Retired {
		held.Clips = nil
	}
	s.Manifest.Header = wire.Header{Type: wire.DocManifest, Version: max(held.Version+1, uint64(max(0, now.Unix()))), IssuedUS: wire.US(now)}
	s.Ceilings = !sameCeilings(held.Ceilings, s.Manifest.Ceilings)
	signed := entries(held.Clips)
	for _, c := range s.Manifest.Clips {
		s.Library = append(s.Library, w.known[c.SHA256])
		if !sameEntry(signed[c.SHA256], c) {
			s.Waiting = append(s.Waiting, w.known[c.SHA256])
		}
		delete(signed, c.SHA256)
	}
	s.Gone = len(signed)
	return s, nil
}

// Bundle says what goes with a manifest to the approver's machine.
type Bundle struct {
	Office  string
	Library []seal.PublicKey // of which one has to sign
	Every   bool             // the sound of every clip, not only of those that wait
	Open    func(sha string) (io.ReadCloser, error)
}

// Bundle writes what the approver has to sign now: the manifest, the words of
// its clips, and their sound.
func (p *Planner) Bundle(ctx context.Context, w io.Writer, b Bundle, now time.Time) error {
	s, err := p.Signing(ctx, now)
	if err != nil {
		return err
	}
	req := signing.Request{Office: b.Office, MadeUS: wire.US(now), Manifest: s.Manifest, Words: map[string]signing.Word{}}
	for _, key := range b.Library {
		req.Library = append(req.Library, key.String())
	}
	for _, c := range s.Library {
		req.Words[c.SHA256] = signing.Word{Name: c.Name, Text: c.Text, Kind: c.ScamType, Audience: c.Audience, Submitter: c.Submitter, Signer: c.Signer}
	}
	from := s.Waiting
	if b.Every {
		from = s.Library
	}
	clips := make([]string, 0, len(from))
	for _, c := range from {
		clips = append(clips, c.SHA256)
	}
	return signing.Write(w, req, s.Previous, clips, b.Open)
}

// TakeManifest puts a manifest into force that the approver signed: by the
// library key that devices know, above the one in force, with the ceilings of
// the configuration, and with no clip but what is signed off in the office, as
// it is there. The approver may leave clips out; they go on waiting. A refusal
// is a *fleet.Error.
func (p *Planner) TakeManifest(ctx context.Context, envelope []byte, now time.Time) (wire.Manifest, error) {
	m, err := p.takeManifest(ctx, envelope, now)
	if err != nil {
		return wire.Manifest{}, err
	}
	if _, err := p.Replan(ctx, now); err != nil {
		return m, err
	}
	return m, nil
}

func (p *Planner) takeManifest(ctx context.Context, envelope []byte, now time.Time) (wire.Manifest, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	refuse := func(zh, en string, args ...any) error {
		return &fleet.Error{Code: fleet.Invalid, Text: fmt.Sprintf(zh, args...), TextEN: fmt.Sprintf(en, args...)}
	}
	if !p.o.Sealer.Strict() {
		return wire.Manifest{}, &fleet.Error{Code: fleet.Conflict, Text: "现在是默认模式，清单由主控自己签署，不用导入", TextEN: "the office is in default mode: the controller signs by itself, and there is nothing to import"}
	}
	m, err := p.o.Sealer.OpenManifest(envelope)
	if err != nil {
		return wire.Manifest{}, &fleet.Error{Code: fleet.Forbidden, Err: err,
			Text:   "这个文件不是用现用的素材密钥签署的清单，请选择 gatecast sign 生成的 .signed.json 文件",
			TextEN: "this file is not a manifest signed with the library key in force: choose the .signed.json that gatecast sign wrote"}
	}
	held, _, err := p.heldManifest(ctx)
	if err != nil {
		return wire.Manifest{}, err
	}
	w, err := p.load(ctx, now)
	if err != nil {
		return wire.Manifest{}, err
	}
	want := p.wanted(w)
	switch {
	case m.Version <= held.Version:
		return m, refuse("清单版本 %d 不高于现用的 %d，请重新导出再签", "manifest version %d is not above %d, which is in force: export and sign again", m.Version, held.Version)
	case m.Device != "" || m.ExpiresUS != 0:
		return m, refuse("清单的适用范围不对，请重新导出再签", "the manifest is meant for something else: export and sign again")
	case !sameCeilings(m.Ceilings, want.Ceilings):
		return m, refuse("清单里的时段、音量等上限与现在的设置不同，请重新导出再签", "the ceilings in the manifest differ from the settings: export and sign again")
	}
	allowed, seen := entries(want.Clips), map[string]bool{}
	for _, c := range m.Clips {
		if entry, ok := allowed[c.SHA256]; !ok || !sameEntry(entry, c) || seen[c.SHA256] {
			return m, refuse("素材“%s”已召回、过期或改过，请重新导出再签", "clip %q was recalled, has expired or was changed: export and sign again", c.Title)
		}
		seen[c.SHA256] = true
	}
	doc := fleet.Doc{SHA256: seal.Hash(envelope), Type: wire.DocManifest, Version: m.Version, Bytes: slices.Clone(envelope), Stored: now}
	if err := p.o.Documents.PutDocs(ctx, []fleet.Doc{doc}); err != nil {
		return m, fmt.Errorf("storing manifest: %w", err)
	}
	p.manifest, p.reseal = manifestState{}, false
	p.o.Logger.Info("manifest imported", "version", m.Version, "clips", len(m.Clips))
	return m, nil
}

// wanted is the manifest of everything that is signed off in the office,
// without a header.
func (p *Planner) wanted(w *world) wire.Manifest {
	m := wire.Manifest{Ceilings: p.o.Ceilings, Clips: []wire.ManifestClip{}}
	for _, c := range w.all {
		if inLibrary(c, w.today) {
			m.Clips = append(m.Clips, p.entry(c))
			if c.Long != "" { // 长音频 was signed off as such: the envelope makes room for it, and for no other
				m.Ceilings.MaxClipS = max(m.Ceilings.MaxClipS, int64((c.Duration()+time.Second-1)/time.Second))
			}
		}
	}
	return m
}

// entry is what is signed of a clip.
func (p *Planner) entry(c fleet.Clip) wire.ManifestClip {
	from, until := p.bounds(c)
	return wire.ManifestClip{
		SHA256: c.SHA256, Title: c.Title, Bytes: c.Bytes, Rate: c.Rate,
		Frames: c.Frames, GainDB: c.GainDB, Silent: c.Silent, FromUS: wire.US(from), UntilUS: wire.US(until),
	}
}

// heldManifest returns the manifest in force, the zero one where there is none.
func (p *Planner) heldManifest(ctx context.Context) (wire.Manifest, []byte, error) {
	doc, err := p.o.Documents.LatestDoc(ctx, "", wire.DocManifest)
	if fleet.CodeOf(err) == fleet.NotFound {
		return wire.Manifest{}, nil, nil
	}
	if err != nil {
		return wire.Manifest{}, nil, fmt.Errorf("reading manifest: %w", err)
	}
	m, err := seal.Peek[wire.Manifest](doc.Bytes)
	if err != nil {
		return wire.Manifest{}, nil, fmt.Errorf("reading manifest version %d: %w", doc.Version, err)
	}
	return m, doc.Bytes, nil
}

// holdSigned takes out of w what the approver has not signed, in strict mode.
func (p *Planner) holdSigned(ctx context.Context, w *world) error {
	if !p.o.Sealer.Strict() {
		return nil
	}
	held, _, err := p.heldManifest(ctx)
	if err != nil {
		return err
	}
	signed := entries(held.Clips)
	w.unsigned = map[string]bool{}
	for _, c := range w.all {
		if !sameEntry(signed[c.SHA256], p.entry(c)) {
			w.unsigned[c.SHA256] = true
			delete(w.clips, c.SHA256)
			if w.clips[c.Name].SHA256 == c.SHA256 {
				delete(w.clips, c.Name)
			}
		}
	}
	return nil
}

func entries(clips []wire.ManifestClip) map[string]wire.ManifestClip {
	m := make(map[string]wire.ManifestClip, len(clips))
	for _, c := range clips {
		m[c.SHA256] = c
	}
	return m
}

// sameEntry compares what devices go by; a title is for people.
func sameEntry(a, b wire.ManifestClip) bool {
	a.Title, b.Title = "", ""
	return a == b
}

func sameCeilings(a, b wire.Ceilings) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}
