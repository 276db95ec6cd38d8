package main

import (
	"context"
	"encoding/pem"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/controller/api"
	"gatecast/controller/auth"
	"gatecast/controller/fleet"
	"gatecast/controller/relay"
	"gatecast/controller/store"
	"gatecast/internal/wire"
)

// officeNow is the time of the tests' controller.
var officeNow = time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)

type officeRelays struct {
	*store.Store
	desk *relay.Desk
}

func (r officeRelays) AddItem(ctx context.Context, item fleet.RelayItem) (fleet.RelayID, error) {
	return r.desk.Create(ctx, item, nil)
}

// officeWorld is the real API on a real store, over TLS, with the token that
// may do everything and one that only reads.
type officeWorld struct {
	url, ca, all, read string
	store              *store.Store
	trouble            error // what the controller has
}

func newOfficeWorld(t *testing.T) *officeWorld {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(dir, "gatecast.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w := &officeWorld{store: db, ca: filepath.Join(dir, "ca.crt")}
	w.fill(t)
	now := func() time.Time { return officeNow }
	desk, err := relay.New(relay.Options{Book: db, Places: db, Settings: db, Zone: time.UTC, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	s, err := api.New(api.Options{
		Tokens: db, Fleet: db, Ledger: db, Audit: db, News: db, Library: db, Relay: officeRelays{db, desk},
		Logger: slog.New(slog.DiscardHandler), Zone: time.FixedZone("", 8*3600), Version: "test", Now: now,
		Trouble:   func() error { return w.trouble },
		Subscribe: func() (<-chan struct{}, func()) { return nil, func() {} },
		JoinCode:  func(context.Context, fleet.PointID, string) (string, error) { return "", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of handshakes that a test refuses
	server.StartTLS()
	t.Cleanup(server.Close)
	w.url = server.URL
	writeText(t, w.ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	w.all, w.read = w.token(t, filepath.Join(dir, "all"), fleet.TokenScopes...), w.token(t, filepath.Join(dir, "read"), fleet.ActRead)
	return w
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// token issues a token into a file and returns the file's path.
func (w *officeWorld) token(t *testing.T, path string, scopes ...fleet.Action) string {
	t.Helper()
	token, hash, hint := auth.NewToken()
	owner, err := w.store.SaveUser(t.Context(), fleet.User{Login: hint, Name: "张工", Role: fleet.Admin, Password: "x", Created: officeNow})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.AddToken(t.Context(), fleet.Token{Name: "t", Hash: hash, Hint: hint, Owner: owner, Scopes: scopes, Created: officeNow, Expires: officeNow.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	writeText(t, path, token+"\n")
	return path
}

func (w *officeWorld) fill(t *testing.T) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.store.ImportRegistry(t.Context(), fleet.Registry{
		Units:  []fleet.UnitEntry{{Unit: fleet.Unit{Code: "SL", Name: "示例街道", Type: fleet.Subdistrict}}, {Unit: fleet.Unit{Code: "SF", Name: "松风社区", Type: fleet.Community}, Parent: "SL"}},
		Groups: []fleet.GroupEntry{{Group: fleet.Group{Tier: 1, Code: "SL-1-00-00-1", Name: "示例街道反电诈指挥群", Owner: "张工", Members: 40}, Unit: "SL"}},
		Points: []fleet.PointEntry{{Point: fleet.Point{Code: "SL-01", Name: "松风苑南门", Kind: fleet.Gate}, Unit: "SF"}, {Point: fleet.Point{Code: "SL-02", Name: "望河村\x1b[2J村委会", Kind: fleet.Horn}, Unit: "SF"}},
	}))
	points, err := w.store.Points(t.Context(), fleet.PointFilter{})
	must(err)
	must(w.store.AddJoinCode(t.Context(), fleet.JoinCode{Hash: "h", Point: points[0].ID, Issued: officeNow, Expires: officeNow.Add(time.Hour)}))
	_, err = w.store.Enrol(t.Context(), "h", fleet.Device{ID: "d1", SPKI: []byte("d1")}, officeNow)
	must(err)
	_, err = w.store.AcceptDevice(t.Context(), "d1", "test", officeNow)
	must(err)
	start := officeNow.Add(-time.Hour)
	owed := fleet.Obligation{Point: points[0].ID, Day: "2026-11-23", Slot: wire.SlotID("2026-11-23.x.morning"), Programme: "x", Version: 1, Name: "早", Start: start, End: start.Add(time.Minute), Plays: 2, Verdict: fleet.Due}
	_, err = w.store.PutObligations(t.Context(), fleet.PlanWindow{Points: []fleet.PointID{points[0].ID}, From: start.Add(-time.Hour), To: officeNow}, []fleet.Obligation{owed}, start.Add(-time.Hour))
	must(err)
	_, err = w.store.Settle(t.Context(), []fleet.Settlement{{Point: points[0].ID, Day: owed.Day, Slot: owed.Slot, Verdict: fleet.Missed, Reason: wire.ReasonPower}}, officeNow)
	must(err)
	_, err = w.store.AddClip(t.Context(), fleet.Clip{Name: "kefu", Title: "冒充客服", SHA256: strings.Repeat("ab", 32), Rate: 24000, Frames: 48000, LUFS: -18.1, Uploaded: officeNow})
	must(err)
}

// call runs a call of the office against the controller.
func (w *officeWorld) call(t *testing.T, token string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return runTool(t, append([]string{"office"}, append(args, "-url", w.url, "-ca", w.ca, "-token-file", token)...)...)
}
