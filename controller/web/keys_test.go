package web

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/controller/planner"
	"gatecast/internal/keyfile"
	"gatecast/internal/seal"
	"gatecast/internal/signing"
)

// testKeys are the real keys and the real planner.
type testKeys struct{ w *world }

func (k testKeys) KeySet() KeySet {
	a := k.w.trust
	set := KeySet{Version: a.RootVersion(), Hash: a.RootHash(), Strict: a.Strict()}
	for _, x := range a.Keys() {
		zh, en := x.Role.Thief()
		set.Keys = append(set.Keys, Key{Role: string(x.Role), ID: x.ID, Since: x.Since, Version: x.Root, Here: x.Here, Thief: zh, ThiefEN: en})
	}
	return set
}

func (k testKeys) ToSign(ctx context.Context, now time.Time) (ToSign, error) {
	s, err := k.w.planner.Signing(ctx, now)
	return ToSign{Strict: s.Strict, Version: s.Held, Clips: s.Waiting, Gone: s.Gone, Ceilings: s.Ceilings, Retired: s.Retired}, err
}

func (k testKeys) Bundle(ctx context.Context, w io.Writer, every bool, now time.Time) error {
	return k.w.planner.Bundle(ctx, w, planner.Bundle{
		Office: "示例街道", Library: k.w.trust.LibraryKeys(), Every: every,
		Open: func(sha string) (io.ReadCloser, error) { return k.w.media.files.Open(sha) },
	}, now)
}

func (k testKeys) TakeSigned(ctx context.Context, envelope []byte, now time.Time) (uint64, int, error) {
	m, err := k.w.planner.TakeManifest(ctx, envelope, now)
	return m.Version, len(m.Clips), err
}

// TestStrictModeByThePages walks a manifest from the page to the approver's key
// and back, and holds what is refused on the way.
func TestStrictModeByThePages(t *testing.T) {
	dir, keyFile := t.TempDir(), filepath.Join(t.TempDir(), "library.key")
	w := openWorld(t, dir)
	w.accounts(t)
	w.addSamples(t)
	if err := w.trust.GoStrict(keyFile, func(k seal.Key) ([]byte, error) { return keyfile.Plain(k), nil }); err != nil {
		t.Fatal(err)
	}
	w.content(t, dir)
	w.serve(t, nil)
	approver := w.as(t, "approver")
	waiting := func() int {
		t.Helper()
		s, err := w.planner.Signing(t.Context(), testNow)
		if err != nil {
			t.Fatal(err)
		}
		return len(s.Waiting)
	}
	all := waiting()
	if all == 0 {
		t.Fatal("nothing waits")
	}
	if shown := len(approver.page("/signing").all("#main tbody tr")); shown != all {
		t.Errorf("the page shows %d of %d clips", shown, all)
	}
	res := approver.post("/signing/bundle", nil)
	if res.Code != http.StatusOK {
		t.Fatalf("export = %d\n%s", res.Code, res.Body)
	}
	zip := res.Body.Bytes()
	b, err := signing.Open(bytes.NewReader(zip), int64(len(zip)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Review(t.Context(), nil, nil)
	if err != nil || len(r.New) != all || len(r.Faults) > 0 {
		t.Fatalf("%d new clips, faults %q, %v; want %d", len(r.New), r.Faults, err, all)
	}
	text, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keyfile.Open(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	send := func(envelope []byte) (int, string) {
		t.Helper()
		var form bytes.Buffer
		m := multipart.NewWriter(&form)
		f, err := m.CreateFormFile("signed", "x.signed.json")
		if err == nil {
			_, err = f.Write(envelope)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/signing", &form)
		r.Header.Set("Content-Type", m.FormDataContentType())
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		res := approver.do(r)
		return res.Code, res.Body.String()
	}
	stranger, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	by := func(k seal.Key, change func(*signing.Request)) []byte {
		t.Helper()
		other := *b
		other.Request.Manifest.Clips = append(other.Request.Manifest.Clips[:0:0], b.Request.Manifest.Clips...)
		if change != nil {
			change(&other.Request)
		}
		env, err := other.Sign(k)
		if err != nil {
			t.Fatal(err)
		}
		return env
	}
	for name, env := range map[string][]byte{
		"a_stranger": by(stranger, nil),
		"no_json":    []byte("hello"),
		"a_plan":     by(key, func(r *signing.Request) { r.Manifest.Type = "plan" }),
		"louder":     by(key, func(r *signing.Request) { r.Manifest.Ceilings.MaxVolumePct = 100 }),
		"more_gain":  by(key, func(r *signing.Request) { r.Manifest.Clips[0].GainDB += 6 }),
		"unknown":    by(key, func(r *signing.Request) { r.Manifest.Clips[0].SHA256 = strings.Repeat("ab", 32) }),
		"twice":      by(key, func(r *signing.Request) { r.Manifest.Clips[1] = r.Manifest.Clips[0] }),
		"expires":    by(key, func(r *signing.Request) { r.Manifest.ExpiresUS = 1 << 60 }),
	} {
		if code, body := send(env); code < 400 || code >= 500 || waiting() != all {
			t.Errorf("%s: %d, %d wait\n%.300s", name, code, waiting(), body)
		}
	}
	left := by(key, func(r *signing.Request) { r.Manifest.Clips = r.Manifest.Clips[1:] })
	if code, body := send(left); code != http.StatusSeeOther || waiting() != 1 {
		t.Errorf("all but one were signed: %d, and %d wait, want 1\n%s", code, waiting(), body)
	}
	if code, _ := send(left); code < 400 {
		t.Error("the same version was taken again")
	}
	if body := w.as(t, "admin").get("/settings/keys").Body.String(); !strings.Contains(body, "严格模式") || !strings.Contains(body, w.trust.RootHash()) {
		t.Error("the page of the keys does not say how things are")
	}
}
