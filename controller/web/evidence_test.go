package web

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"gatecast/controller/fleet"
	"gatecast/internal/evidence"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

func TestPointSaysHowFarItsRecordsCanBeBelieved(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	p := w.points["松风苑南门"]
	d := c.page(pointPath(p.ID))
	d.has("[data-live=live-evidence] p", "还没有回执，每天零点过后生成。")
	d.has("[data-live=live-evidence] .hint", "收到的记录前后相接，签名相符")

	device, err := w.store.DeviceOfPoint(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	doc := wire.Receipt{Header: wire.Header{Device: device.ID, Version: 1}, Log: "00112233445566aa", Upto: 6, Hash: strings.Repeat("a", 64), Count: 6, Day: "2026-11-22"}
	envelope, err := w.trust.SealReceipt(&doc)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.AddReceipt(t.Context(), fleet.Receipt{Receipt: doc, SHA256: seal.Hash(envelope), Envelope: envelope}); err != nil {
		t.Fatal(err)
	}
	if n, err := w.store.AddBreaks(t.Context(), []fleet.Break{
		{Device: device.ID, Log: "00112233445566aa", Seq: 4, Code: evidence.Chain, Found: testNow},
		{Device: device.ID, Log: "00112233445566aa", Seq: 5, Code: "of_a_later_version", Found: testNow},
	}); err != nil || n != 2 {
		t.Fatalf("AddBreaks = %d, %v", n, err)
	}
	d = c.page(pointPath(p.ID))
	d.has("[data-live=live-evidence] p", "回执第 1 号，截至 2026-11-22，签收到记录 6。 等设备取走。")
	d.has("[data-live=live-evidence] li", "与前一条记录接不上，两条之一被改过 日志 00112233445566aa 记录 4")
	d.has("[data-live=live-evidence] li", "记录有问题 日志 00112233445566aa 记录 5")
	d.has("[data-live=live-needs] h3", "记录对不上，2 处")
	en := c.page(pointPath(p.ID) + "?lang=en")
	en.has("[data-live=live-evidence] li", "does not follow from the record before; one of the two was changed")
	en.has("[data-live=live-needs] h3", "Records do not hold together in 2 places")
	c.page(pointPath(w.points["谷雨里南门"].ID)+"?lang=zh").count("[data-live=live-evidence] li", 0)
}

func TestExportDownloadsWhatThePageShows(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	d := c.page("/compliance?from=2026-11-23&to=2026-11-23")
	var path string
	for _, href := range attrs(d, "a", "href") {
		if strings.HasPrefix(href, "/compliance/export?") {
			path = href
		}
	}
	if path == "" {
		t.Fatal("the page offers no export")
	}
	r := c.get(path)
	if r.Code != http.StatusOK || r.Header().Get("Content-Type") != "application/zip" || !strings.Contains(r.Header().Get("Content-Disposition"), "gatecast-2026-11-23-2026-11-23.zip") {
		t.Fatalf("GET %s: %d, %v", path, r.Code, r.Header())
	}
	z, err := zip.NewReader(bytes.NewReader(r.Body.Bytes()), int64(r.Body.Len()))
	if err != nil {
		t.Fatal(err)
	}
	// The records of this world are invented and not chained: the seal holds,
	// and the verifier says which record is the first that does not.
	e, report, err := evidence.VerifyExport(z, w.trust.RootHash())
	if err != nil || len(e.Faults) > 0 || len(e.Contents.Logs) == 0 {
		t.Fatalf("VerifyExport: %v, %+v", err, e)
	}
	if f, ok := report.First(); !ok || f.Code != evidence.Chain || f.Seq != 2 {
		t.Errorf("first fault = %+v", f)
	}
	audits, err := w.store.Audits(t.Context(), 1)
	if err != nil || len(audits) != 1 || audits[0].What != "export" {
		t.Errorf("audit = %+v, %v", audits, err)
	}
	if r := c.get("/compliance/export?point=none"); r.Code != http.StatusNotFound {
		t.Errorf("export of no point: %d", r.Code)
	}
}

// cutEvidence breaks off in the middle.
type cutEvidence struct{ Evidence }

func (cutEvidence) Export(_ context.Context, w io.Writer, _ ExportQuery) error {
	_, _ = w.Write([]byte("PK"))
	return errors.New("the disk went away")
}

func TestExportThatBreaksOffIsNoDownload(t *testing.T) {
	w := newWorld(t)
	w.serve(t, func(o *Options) { o.Evidence = cutEvidence{o.Evidence} })
	c := w.as(t, "inspector")
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("the connection is not aborted")
		}
		if !strings.Contains(w.log.String(), "writing export") {
			t.Error("nothing is logged")
		}
	}()
	c.get("/compliance/export")
}
