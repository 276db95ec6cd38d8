package acceptance

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatecast/agent/walltime"
	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
	"gatecast/controller/store"
	"gatecast/internal/wire"
)

// lastWeek writes two slots of last week into the books: one was played, of the
// other nobody has heard.
func lastWeek(t *testing.T, o *office, books *store.Store) (pending fleet.Obligation) {
	t.Helper()
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().In(zone)
	monday := time.Date(now.Year(), now.Month(), now.Day()-(int(now.Weekday())+6)%7-7, 0, 0, 0, 0, zone)
	pt, err := books.PointByCode(t.Context(), "SL-01-01")
	if err != nil {
		t.Fatal(err)
	}
	var rows []fleet.Obligation
	for i, hour := range []int{7, 12} {
		start := monday.Add(time.Duration(hour) * time.Hour)
		name := []string{"早", "中"}[i]
		day := fleet.Day(monday.Format(time.DateOnly))
		rows = append(rows, fleet.Obligation{
			Point: pt.ID, Slot: wire.SlotID(fmt.Sprintf("%s.default.s%d", day, i)), Day: day, Programme: "default", Version: 1, Name: name, DayType: "workday",
			Start: start, End: start.Add(time.Hour), Plays: 1, PlannedMS: 27_000, Unit: pt.Unit, Compound: pt.Compound,
		})
	}
	window := fleet.PlanWindow{Points: []fleet.PointID{pt.ID}, From: monday, To: monday.AddDate(0, 0, 1)}
	if n, err := books.PutObligations(t.Context(), window, rows, monday); err != nil || n.Added != 2 {
		t.Fatalf("%+v, %v", n, err)
	}
	if _, err := books.Settle(t.Context(), []fleet.Settlement{
		{Point: pt.ID, Day: rows[0].Day, Slot: rows[0].Slot, Verdict: fleet.Played, Grade: fleet.GradeB, PlaysOK: 1, SoundMS: 27_000},
		{Point: pt.ID, Day: rows[1].Day, Slot: rows[1].Slot, Verdict: fleet.Pending, Reason: wire.ReasonOffline},
	}, monday.AddDate(0, 0, 1)); err != nil {
		t.Fatal(err)
	}
	return rows[1]
}

var (
	counts  = regexp.MustCompile(`松风社区 (?:\d+ 点 |1 )?2 1 0 0 0 0 1 (?:0 )?100.0% 50.0%`)
	version = regexp.MustCompile(`name="version" value="(\d+)"`)
	seen    = regexp.MustCompile(`name="seen" value="([0-9a-f]+)"`)
)

func field(t *testing.T, re *regexp.Regexp, page string) string {
	t.Helper()
	m := re.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no %s on the page: %s", re, text(page))
	}
	return m[1]
}

// fetch downloads a file.
func (p *person) fetch(path string) []byte {
	p.o.t.Helper()
	res, err := p.client.Get(p.o.web + path)
	if err != nil {
		p.o.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		p.o.t.Fatalf("GET %s: %d, %v", path, res.StatusCode, err)
	}
	return data
}

// The office finds the bulletin of last week drafted, one sends it up and
// another signs it: page, docx and xlsx have the ledger's numbers. A record that
// comes after leaves it as it was signed; a correction, old and new, is offered.
func TestBulletinHoldsAgainstLateRecords(t *testing.T) {
	t.Parallel()
	var late fleet.Obligation
	o, people := newOfficeWithPast(t, map[string]fleet.Role{"li": fleet.Clerk, "chen": fleet.Approver}, func(o *office, books *store.Store) { late = lastWeek(t, o, books) })
	li, chen := people["li"], people["chen"]
	var list string
	eventually(t, 15*time.Second, func() string {
		if list = li.get("/bulletins"); !strings.Contains(list, `href="/bulletins/1"`) {
			return "no draft was made: " + text(list)
		}
		return ""
	})
	sunday := fleet.Day(mustDay(t, late.Day).AddDate(0, 0, 6).Format(time.DateOnly))
	ledger := text(li.get("/compliance?from=" + string(late.Day) + "&to=" + string(sunday)))
	draft := li.get("/bulletins/1")
	for name, page := range map[string]string{"ledger": ledger, "draft": text(draft)} {
		if !counts.MatchString(page) {
			t.Errorf("the %s has other numbers: %s", name, page)
		}
	}
	li.post("/bulletins/1", url.Values{"edit": {"1"}, "version": {field(t, version, draft)}, "text.tasks": {"松风社区恢复离线设备。"}})
	li.post("/bulletins/1/submit", url.Values{"version": {"2"}})
	if status := li.refused("/bulletins/1/sign", url.Values{"version": {"3"}, "number": {"46"}, "total": {"98"}, "checked": {"yes"}}); status != 403 {
		t.Errorf("who wrote it signs it: %d", status)
	}
	up := chen.get("/bulletins/1")
	chen.post("/bulletins/1/sign", url.Values{"version": {field(t, version, up)}, "seen": {field(t, seen, up)}, "number": {"46"}, "total": {"98"}, "checked": {"yes"}})
	issued := paperOf(t, li.get("/bulletins/1"))
	if !strings.Contains(issued, "第46期（总第98期）") || !strings.Contains(issued, "B级设备已输出（未验证发声）1段") || !counts.MatchString(issued) {
		t.Fatalf("issued: %s", issued)
	}
	docx, xlsx := li.fetch("/bulletins/1/docx"), li.fetch("/bulletins/1/xlsx")
	if said := docxText(t, docx); !counts.MatchString(said) {
		t.Errorf("the docx has other numbers: %s", said)
	}
	if said := xlsxText(t, xlsx); !counts.MatchString(said) {
		t.Errorf("the xlsx has other numbers: %s", said)
	}

	d := newSimDevice(t, o, "SL-01-01", o.mqtt.addr)
	at := walltime.Stamp{Wall: late.Start.UTC(), BootID: "before", Mono: time.Hour, Level: wire.T2, Err: time.Second}
	play := wire.PlayID(string(late.Slot) + "#1")
	intent, err := d.journal.Append(wire.RecordIntent, at, wire.Intent{Play: play, Slot: late.Slot, Plan: 1})
	if err != nil {
		t.Fatal(err)
	}
	at.Wall, at.Mono = at.Wall.Add(27*time.Second), at.Mono+27*time.Second
	if _, err := d.journal.Append(wire.RecordOutcome, at, wire.Outcome{Play: play, Slot: late.Slot, Plan: 1, IntentSeq: intent, Result: wire.PlayPlayed, SoundMS: 27_000, ClipMS: 27_000, Sink: "alsa"}); err != nil {
		t.Fatal(err)
	}
	// A device that asked while it was being accepted waits up to a minute before
	// it asks again.
	var page string
	eventually(t, 90*time.Second, func() string {
		if page = chen.get("/bulletins/1"); !strings.Contains(text(page), "签发后有变化") {
			return text(page)
		}
		return ""
	})
	if said := text(page); !strings.Contains(said, "表1 松风社区 已播 1 2") || !strings.Contains(said, "按未播计 50.0% 100.0%") || !strings.Contains(said, "待报（离线）→已播") {
		t.Errorf("the correction offered: %s", said)
	}
	if paperOf(t, page) != issued || !bytes.Equal(li.fetch("/bulletins/1/docx"), docx) {
		t.Error("the late record changed what was signed")
	}
	chen.post("/bulletins/1/correct", url.Values{"checked": {"yes"}, "seen": {field(t, seen, page)}})
	if said := text(chen.get("/bulletins/1")); !strings.Contains(said, "更正 "+fmt.Sprint(time.Now().In(zoneOf(t, o)).Year())+" 年第 1 号") || strings.Contains(said, "签发后有变化") {
		t.Errorf("after the correction: %s", said)
	}
}

func zoneOf(t *testing.T, o *office) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func mustDay(t *testing.T, d fleet.Day) time.Time {
	t.Helper()
	day, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		t.Fatal(err)
	}
	return day
}

// paperOf is the text of the paper on a page.
func paperOf(t *testing.T, page string) string {
	t.Helper()
	_, paper, ok := strings.Cut(page, `<article class="paper `)
	if !ok {
		t.Fatalf("there is no paper: %s", text(page))
	}
	paper, _, _ = strings.Cut(paper, "</article>")
	return text("<p" + paper)
}

func docxText(t *testing.T, docx []byte) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(docx), int64(len(docx)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open("word/document.xml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	xml, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return text(string(xml))
}

func xlsxText(t *testing.T, xlsx []byte) string {
	t.Helper()
	book, err := sheet.Read(xlsx, sheet.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range book.Sheets {
		for _, r := range s.Rows {
			b.WriteString(strings.Join(r.Cells, " ") + " ")
		}
	}
	return b.String()
}
