package dossier

import (
	"archive/zip"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"gatecast/controller/fleet"
	"gatecast/controller/notary"
	"gatecast/controller/sample"
	"gatecast/controller/store"
	"gatecast/controller/trust"
	"gatecast/internal/evidence"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

var shanghai = time.FixedZone("Asia/Shanghai", 8*3600)

const firstLog = wire.LogID("00112233445566aa")

// office has a real store and real keys, and a device that wrote and
// delivered three days.
type office struct {
	t      testing.TB
	store  *store.Store
	trust  *trust.Authority
	notary *notary.Notary
	point  fleet.Point
	key    *ecdsa.PrivateKey
	device wire.DeviceID
	prev   string
	seq    wire.Seq
	export *Exporter
}

func newTestOffice(t testing.TB) *office {
	t.Helper()
	dir := t.TempDir()
	o := &office{t: t}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	o.trust, err = trust.Open(filepath.Join(dir, "trust"), trust.Options{})
	check(err)
	o.store, err = store.Open(t.Context(), filepath.Join(dir, "gatecast.db"), store.Options{})
	check(err)
	t.Cleanup(func() { _ = o.store.Close() })
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, shanghai)
	check(o.store.ImportRegistry(t.Context(), sample.Registry(now)))
	points, err := o.store.Points(t.Context(), fleet.PointFilter{})
	check(err)
	o.point = points[0]
	o.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	spki, err := x509.MarshalPKIXPublicKey(o.key.Public())
	check(err)
	o.device = evidence.DeviceOf(spki)
	check(o.store.AddJoinCode(t.Context(), fleet.JoinCode{Hash: "x", Point: o.point.ID, Issued: now, Expires: now.Add(time.Hour)}))
	_, err = o.store.Enrol(t.Context(), "x", fleet.Device{ID: o.device, SPKI: spki}, now)
	check(err)
	_, err = o.store.AcceptDevice(t.Context(), o.device, "test", now)
	check(err)
	o.notary, err = notary.New(notary.Options{Store: o.store, Sealer: o.trust, Zone: shanghai})
	check(err)
	o.export, err = New(Options{Store: o.store, Trust: o.trust, Zone: shanghai, Office: "示例街道"})
	check(err)
	plan, err := o.trust.SealPlan(&wire.Plan{Header: wire.Header{Device: o.device, Version: 7}, Zone: "Asia/Shanghai"})
	check(err)
	check(o.store.PutPlans(t.Context(), []fleet.Doc{{SHA256: seal.Hash(plan), Type: wire.DocPlan, Device: o.device, Version: 7, Bytes: plan}}))
	for d := range 3 {
		o.day(20+d, 10)
		if _, err := o.notary.Close(t.Context(), time.Date(2026, 11, 21+d, 0, 30, 0, 0, shanghai)); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// day delivers n plays of a day of November, with a checkpoint behind them.
func (o *office) day(d, n int) {
	o.t.Helper()
	var raws []json.RawMessage
	add := func(kind wire.RecordKind, at time.Time, body any) {
		o.seq++
		r := wire.Record{Log: firstLog, Seq: o.seq, Prev: o.prev, Kind: kind, AtUS: wire.US(at), MonoUS: wire.US(at) - 1_795_000_000_000_000, BootID: "b", Level: wire.T2}
		var err error
		if kind == wire.RecordCheckpoint {
			r.Body, err = evidence.Checkpoint(r, nil, o.key)
		} else {
			r.Body, err = json.Marshal(body)
		}
		if err != nil {
			o.t.Fatal(err)
		}
		raw, err := json.Marshal(r)
		if err != nil {
			o.t.Fatal(err)
		}
		raws, o.prev = append(raws, raw), evidence.Hash(raw)
	}
	at := time.Date(2026, 11, d, 8, 0, 0, 0, shanghai)
	slot := wire.SlotID(at.Format(time.DateOnly) + ".gates.morning")
	for i := range n {
		add(wire.RecordOutcome, at.Add(time.Duration(i)*time.Minute), wire.Outcome{Play: wire.PlayID(fmt.Sprintf("%s#%d", slot, i+1)), Slot: slot, Result: wire.PlayPlayed})
	}
	add(wire.RecordCheckpoint, at.Add(time.Hour), nil)
	if _, err := o.store.AppendRecords(o.t.Context(), o.device, firstLog, raws, at); err != nil {
		o.t.Fatal(err)
	}
}

// zip exports and opens the archive.
func (o *office) zip(q Query) (fs.FS, map[string][]byte) {
	o.t.Helper()
	var b bytes.Buffer
	if err := o.export.Zip(o.t.Context(), &b, q); err != nil {
		o.t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		o.t.Fatal(err)
	}
	return z, filesOf(o.t, z)
}

func filesOf(t testing.TB, files fs.FS) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	if err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all[name], err = fs.ReadFile(files, name)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestExportVerifiesInBothForms(t *testing.T) {
	o := newTestOffice(t)
	q := Query{From: "2026-11-21", To: "2026-11-21"}
	z, inZip := o.zip(q)
	dir := filepath.Join(t.TempDir(), "export")
	if err := o.export.Folder(t.Context(), dir, q); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]fs.FS{"zip": z, "folder": os.DirFS(dir)} {
		e, r, err := evidence.VerifyExport(files, o.trust.RootHash())
		if err != nil || len(r.Faults) > 0 {
			t.Fatalf("%s: %v, faults %v", name, err, r.Faults)
		}
		// Of three days of ten plays and a checkpoint each, the second one; the
		// receipt that closes it covers its last record.
		l := r.Logs[0]
		if len(r.Logs) != 1 || l.First != 12 || l.Last != 22 || l.Device != o.device || len(l.Bare) > 0 || l.Receipted != 22 || r.Receipts != 1 {
			t.Errorf("%s: report %+v, %+v", name, r, l)
		}
		if c := e.Contents; c.From != "2026-11-21" || c.Office != "示例街道" || len(c.Devices) != 1 || c.Devices[0].Points[0] != o.point.Code {
			t.Errorf("%s: contents %+v", name, c)
		}
	}
	outside := filesOf(t, os.DirFS(dir))
	for name, data := range inZip {
		if name == evidence.ContentsFile {
			continue // sealed at another instant
		}
		if !bytes.Equal(data, outside[name]) && name != "README.txt" {
			t.Errorf("%s differs between zip and folder", name)
		}
	}
	want := []string{"README.txt", "audit/heads.jsonl", "contents.json", "ledger/corrections.csv", "ledger/obligations.csv", "ledger/obligations.jsonl", "receipts.jsonl", "trust/root.json"}
	for _, name := range want {
		if inZip[name] == nil {
			t.Errorf("no %s in %d files", name, len(inZip))
		}
	}
	plans := 0
	for name := range inZip {
		if strings.HasPrefix(name, "documents/plan-") {
			plans++
		}
	}
	if plans != 1 {
		t.Errorf("%d plans, want the one in force", plans)
	}
	if !strings.Contains(string(inZip["README.txt"]), o.trust.RootHash()) {
		t.Error("README.txt does not name the trust root")
	}
}

// A period goes on to the checkpoint and the receipt behind it.
func TestExportReachesToTheNextSignature(t *testing.T) {
	o := newTestOffice(t)
	at := time.Date(2026, 11, 24, 8, 0, 0, 0, shanghai)
	o.day(24, 3)
	spans, err := o.store.LogSpans(t.Context(), o.device, at, at.Add(2*time.Minute))
	if err != nil || len(spans) != 1 || spans[0].First != 34 || spans[0].Last != 37 {
		t.Errorf("LogSpans = %+v, %v, want 34 to 37, where the checkpoint is", spans, err)
	}
	if spans, err := o.store.LogSpans(t.Context(), o.device, at.AddDate(1, 0, 0), at.AddDate(2, 0, 0)); err != nil || len(spans) != 0 {
		t.Errorf("LogSpans of a time without records = %+v, %v", spans, err)
	}
}

func TestExportHasWhatWasOwed(t *testing.T) {
	o := newTestOffice(t)
	day := time.Date(2026, 11, 25, 0, 0, 0, 0, shanghai)
	slot := wire.SlotID("2026-11-25.gates.morning")
	ob := fleet.Obligation{Point: o.point.ID, Slot: slot, Day: "2026-11-25", Programme: "gates", Version: 1, Name: "=早", DayType: "workday",
		Start: day.Add(8 * time.Hour), End: day.Add(9 * time.Hour), Plays: 3}
	win := fleet.PlanWindow{Points: []fleet.PointID{o.point.ID}, From: day, To: day.AddDate(0, 0, 1)}
	if _, err := o.store.PutObligations(t.Context(), win, []fleet.Obligation{ob}, day); err != nil {
		t.Fatal(err)
	}
	st := fleet.Settlement{Point: o.point.ID, Day: ob.Day, Slot: slot, Verdict: fleet.Missed, Reason: wire.ReasonPower}
	for _, v := range []fleet.Verdict{fleet.Missed, fleet.Played} {
		st.Verdict = v
		if _, err := o.store.Settle(t.Context(), []fleet.Settlement{st}, day.Add(10*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	_, all := o.zip(Query{From: "2026-11-25", To: "2026-11-25", Point: o.point.Code})
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(all["ledger/obligations.csv"], []byte(byteOrder)))).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][1] != o.point.Code || rows[1][4] != "'=早" || rows[1][10] != "已播" {
		t.Errorf("obligations.csv = %q, %v", rows, err)
	}
	var line struct {
		Slot    wire.SlotID   `json:"slot"`
		Verdict fleet.Verdict `json:"verdict"`
	}
	if err := json.Unmarshal(all["ledger/obligations.jsonl"], &line); err != nil || line.Slot != slot || line.Verdict != fleet.Played {
		t.Errorf("obligations.jsonl = %s, %v", all["ledger/obligations.jsonl"], err)
	}
	if text := string(all["ledger/corrections.csv"]); !strings.Contains(text, "未播") || !strings.Contains(text, "已播") {
		t.Errorf("corrections.csv = %s", text)
	}
}

func TestExportRefusesWithAReason(t *testing.T) {
	o := newTestOffice(t)
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		err  error
		code fleet.Code
	}{
		{"no_dates", o.export.Check(t.Context(), Query{}), fleet.Invalid},
		{"dates_swapped", o.export.Check(t.Context(), Query{From: "2026-11-22", To: "2026-11-21"}), fleet.Invalid},
		{"no_such_point", o.export.Check(t.Context(), Query{From: "2026-11-21", To: "2026-11-22", Point: "none"}), fleet.NotFound},
		{"folder_in_use", o.export.Folder(t.Context(), full, Query{From: "2026-11-21", To: "2026-11-22"}), fleet.Conflict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if fleet.CodeOf(tt.err) != tt.code {
				t.Errorf("error = %v, want code %q", tt.err, tt.code)
			}
		})
	}
}

// memory is an export in memory that an attacker changes.
type memory map[string][]byte

func (m memory) files() fs.FS {
	files := fstest.MapFS{}
	for name, data := range m {
		files[name] = &fstest.MapFile{Data: data}
	}
	return files
}

// reseal makes the sums right again and has the contents signed anew: the
// controller itself is the attacker.
func (o *office) reseal(m memory) {
	o.t.Helper()
	c, err := seal.Peek[evidence.Contents](m[evidence.ContentsFile])
	if err != nil {
		o.t.Fatal(err)
	}
	for i, f := range c.Files {
		data := m[f.File]
		c.Files[i].SHA256, c.Files[i].Size = evidence.Hash(data), int64(len(data))
	}
	for i, l := range c.Logs {
		lines := bytes.Split(bytes.TrimSuffix(m[l.File], []byte("\n")), []byte("\n"))
		c.Logs[i].Last, c.Logs[i].Count = l.First+wire.Seq(len(lines))-1, int64(len(lines))
	}
	if m[evidence.ContentsFile], err = o.trust.SealContents(&c); err != nil {
		o.t.Fatal(err)
	}
}

// TestChangedExportIsFound edits, removes, swaps or inserts a record and
// computes every number and hash behind it anew. With a stranger as the
// attacker the seal tells; with the controller, which signs everything again,
// the device's checkpoints do.
func TestChangedExportIsFound(t *testing.T) {
	o := newTestOffice(t)
	_, whole := o.zip(Query{From: "2026-11-20", To: "2026-11-22"})
	file := fmt.Sprintf("journals/%s/%s.jsonl", o.device, firstLog)
	rapid.Check(t, func(rt *rapid.T) {
		m := memory{}
		for name, data := range whole {
			m[name] = data
		}
		raws := bytes.Split(bytes.TrimSuffix(m[file], []byte("\n")), []byte("\n"))
		k := rapid.IntRange(0, len(raws)-2).Draw(rt, "at") // the last one is a checkpoint: without it, see below
		what := rapid.SampledFrom([]string{"edit", "remove", "swap", "insert"}).Draw(rt, "what")
		switch what {
		case "edit":
			raws[k] = bytes.Replace(raws[k], []byte(`"level":2`), []byte(`"level":1`), 1)
		case "remove":
			raws = slices.Delete(raws, k, k+1)
		case "swap":
			raws[k], raws[k+1] = raws[k+1], raws[k]
		case "insert":
			raws = slices.Insert(raws, k, raws[k])
		}
		for i := k; i < len(raws); i++ {
			var r wire.Record
			if err := json.Unmarshal(raws[i], &r); err != nil {
				t.Fatal(err)
			}
			r.Seq, r.Prev = wire.Seq(i+1), ""
			if i > 0 {
				r.Prev = evidence.Hash(raws[i-1])
			}
			var err error
			if raws[i], err = json.Marshal(r); err != nil {
				t.Fatal(err)
			}
		}
		m[file] = append(bytes.Join(raws, []byte("\n")), '\n')
		insider := rapid.Bool().Draw(rt, "insider")
		if insider {
			m[evidence.ReceiptsFile] = nil // they would tell as well
			o.reseal(m)
		}
		_, r, err := evidence.VerifyExport(m.files(), "")
		if err != nil {
			rt.Fatal(err)
		}
		f, bad := r.First()
		if !bad {
			rt.Fatalf("%s at %d (insider %v) is not found", what, k+1, insider)
		}
		if f.Log != firstLog || f.Seq == 0 {
			rt.Fatalf("%s at %d: first fault %+v names no record", what, k+1, f)
		}
	})
}

// Whatever file is changed, the seal tells.
func TestEveryFileOfAnExportCounts(t *testing.T) {
	o := newTestOffice(t)
	_, whole := o.zip(Query{From: "2026-11-20", To: "2026-11-22"})
	for name := range whole {
		t.Run(strings.ReplaceAll(name, "/", "_"), func(t *testing.T) {
			m := memory{}
			for other, data := range whole {
				m[other] = bytes.Clone(data)
			}
			if len(m[name]) == 0 {
				m[name] = []byte("x")
			} else {
				m[name][len(m[name])/2] ^= 1
			}
			_, r, err := evidence.VerifyExport(m.files(), o.trust.RootHash())
			if err == nil && len(r.Faults) == 0 {
				t.Errorf("a changed byte of %s is not found", name)
			}
		})
	}
}

func FuzzOpenExport(f *testing.F) {
	o := newTestOffice(f)
	_, whole := o.zip(Query{From: "2026-11-20", To: "2026-11-22"})
	file := fmt.Sprintf("journals/%s/%s.jsonl", o.device, firstLog)
	f.Add(whole[evidence.ContentsFile], whole[file], whole[evidence.ReceiptsFile])
	f.Fuzz(func(t *testing.T, contents, records, receipts []byte) {
		m := memory{}
		for name, data := range whole {
			m[name] = data
		}
		m[evidence.ContentsFile], m[file], m[evidence.ReceiptsFile] = contents, records, receipts
		_, r, err := evidence.VerifyExport(m.files(), o.trust.RootHash())
		same := bytes.Equal(records, whole[file]) && bytes.Equal(receipts, whole[evidence.ReceiptsFile])
		if err == nil && len(r.Faults) == 0 && !same {
			t.Error("a changed export passes")
		}
	})
}
