package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/wire"
)

// disputedSlots writes slots of the day before yesterday, and who leads the
// community: both gates missed the evening, noon fell into an outage of the
// office, of the next morning nobody has heard.
func disputedSlots(t *testing.T, o *office, books *store.Store) fleet.Day {
	t.Helper()
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().In(zone)
	midnight := time.Date(now.Year(), now.Month(), now.Day()-2, 0, 0, 0, 0, zone)
	win := fleet.PlanWindow{From: midnight, To: midnight.AddDate(0, 0, 2)}
	var owed []fleet.Obligation
	var done []fleet.Settlement
	for _, code := range []string{"SL-01-01", "SL-01-02"} {
		pt, err := books.PointByCode(t.Context(), code)
		if err != nil {
			t.Fatal(err)
		}
		win.Points = append(win.Points, pt.ID)
		for name, sl := range map[string]struct {
			at      time.Duration
			verdict fleet.Verdict
			reason  wire.Reason
		}{
			"中": {12 * time.Hour, fleet.Missed, wire.ReasonOffline},
			"晚": {18*time.Hour + 30*time.Minute, fleet.Missed, wire.ReasonPower},
			"早": {31 * time.Hour, fleet.Pending, wire.ReasonOffline},
		} {
			start := midnight.Add(sl.at)
			day := fleet.Day(start.Format(time.DateOnly))
			id := wire.SlotID(fmt.Sprintf("%s.gates.h%d", day, start.Hour()))
			owed = append(owed, fleet.Obligation{
				Point: pt.ID, Slot: id, Day: day, Programme: "gates", Version: 1, Name: name, DayType: "workday", Start: start, End: start.Add(30 * time.Minute),
				Plays: 3, PlannedMS: 81_000, Unit: pt.Unit, Compound: pt.Compound,
			})
			done = append(done, fleet.Settlement{Point: pt.ID, Day: day, Slot: id, Verdict: sl.verdict, Reason: sl.reason})
		}
		users, err := books.Users(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range users {
			if u.Role == fleet.UnitAccount {
				if _, _, err := books.ChangeUser(t.Context(), u.ID, func(u *fleet.User) error { u.Unit = pt.Unit; return nil }); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if _, err := books.PutObligations(t.Context(), win, owed, midnight.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := books.Settle(t.Context(), done, midnight.AddDate(0, 0, 2)); err != nil {
		t.Fatal(err)
	}
	powerUp(t, books, win.Points[0], midnight.Add(19*time.Hour+2*time.Minute))
	if err := books.BeginOutage(t.Context(), fleet.OutageBroker, midnight.Add(11*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := books.EndOutage(t.Context(), fleet.OutageBroker, midnight.Add(13*time.Hour)); err != nil {
		t.Fatal(err)
	}
	return fleet.Day(midnight.Format(time.DateOnly))
}

// powerUp gives a point a device that started then.
func powerUp(t *testing.T, books *store.Store, p fleet.PointID, at time.Time) {
	t.Helper()
	const id = wire.DeviceID("south")
	if err := books.AddJoinCode(t.Context(), fleet.JoinCode{Hash: "h", Point: p, Issued: at.Add(-time.Hour), Expires: at.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if _, err := books.Enrol(t.Context(), "h", fleet.Device{ID: id, SPKI: []byte("k")}, at.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := books.AcceptDevice(t.Context(), id, "test", at.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(wire.Record{Log: "a", Seq: 1, Kind: wire.RecordBoot, AtUS: wire.US(at), Level: wire.T2, Body: json.RawMessage(`{"agent":"1"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := books.AppendRecords(t.Context(), id, "a", []json.RawMessage{raw}, at.Add(time.Second)); err != nil || n != 1 {
		t.Fatalf("%d records were taken: %v", n, err)
	}
}

// photoWithPlace is a JPEG that says where it was taken.
func photoWithPlace(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	body := append([]byte("Exif\x00\x00"), bytes.Repeat([]byte("GPS31.23N"), 4)...)
	app1 := append([]byte{0xff, 0xe1, 0, byte(len(body) + 2)}, body...)
	return append(append(append([]byte{}, b.Bytes()[:2]...), app1...), b.Bytes()[2:]...)
}

func (p *person) appeal(path, why string, photo []byte) string {
	p.o.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.WriteField("text", why); err != nil {
		p.o.t.Fatal(err)
	}
	part, err := w.CreateFormFile("photo", "notice.jpg")
	if err != nil {
		p.o.t.Fatal(err)
	}
	_, _ = part.Write(photo) // to memory
	if err := w.Close(); err != nil {
		p.o.t.Fatal(err)
	}
	res, err := p.client.Post(p.o.web+path, w.FormDataContentType(), &b)
	return p.o.page(p.login+": POST "+path, res, err)
}

// status is what the office answers to a look at path.
func (p *person) status(path string) int {
	p.o.t.Helper()
	res, err := p.client.Get(p.o.web + path)
	if err != nil {
		p.o.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body) // the status is what counts
	res.Body.Close()
	return res.StatusCode
}

// Scenario C10: half a point is deducted for an evening at the south gate. The
// community's leader appeals on the phone with a photo; somebody else than who
// made the deduction revokes it. The total follows, the paper keeps the version
// of the rule that held, and a slot that nobody can answer for is refused.
func TestCommunityDisputesADeduction(t *testing.T) {
	t.Parallel()
	var day fleet.Day
	_, people := newOfficeWithPast(t, map[string]fleet.Role{"li": fleet.Clerk, "chen": fleet.Approver, "leader": fleet.UnitAccount}, func(o *office, books *store.Store) { day = disputedSlots(t, o, books) })
	li, chen, leader := people["li"], people["chen"], people["leader"]

	rule := func(base, text, points string) {
		li.post("/deductions/rules", url.Values{"base": {base}, "code": {"播放-1"}, "text": {text}, "points": {points}, "from": {"2020-01-01"}, "verdict": {"missed"}})
	}
	rule("0", "每少播一个时段扣分。", "0.5")
	unit := field(t, regexp.MustCompile(`<option value="(\d+)">松风社区</option>`), li.get("/deductions/new"))
	id := field(t, regexp.MustCompile(`<option value="(\d+)">播放-1`), li.get("/deductions/new"))
	next := mustDay(t, day).AddDate(0, 0, 1).Format(time.DateOnly)
	list := li.get("/deductions/new?" + url.Values{"rule": {id}, "unit": {unit}, "from": {string(day)}, "to": {next}}.Encode())
	for _, why := range []string{"待报不满 14 天", "主控当时中断，又没有设备记录"} {
		if !strings.Contains(text(list), why) {
			t.Errorf("the list does not say %q: %s", why, text(list))
		}
	}
	boxes := regexp.MustCompile(`name="slot" value="([^"]+)" aria-label="([^"]+)"`).FindAllStringSubmatch(list, -1)
	if len(boxes) != 2 {
		t.Fatalf("%d slots may be picked, want the two evenings: %s", len(boxes), text(list))
	}
	var south string
	for _, b := range boxes {
		if strings.Contains(b[2], "松风苑南门") {
			south = b[1]
		}
	}
	pick := url.Values{"rule": {id}, "unit": {unit}, "slot": {south}}
	point, _, _ := strings.Cut(south, "|")
	for _, slot := range []string{next + ".gates.h7", string(day) + ".gates.h12"} {
		if status := li.refused("/deductions", url.Values{"rule": {id}, "unit": {unit}, "slot": {point + "|" + slot}}); status != http.StatusUnprocessableEntity {
			t.Errorf("slot %s: status %d", slot, status)
		}
	}
	li.post("/deductions", pick)
	if status := li.refused("/deductions", pick); status != http.StatusUnprocessableEntity {
		t.Errorf("the same slot under the same rule again: status %d", status)
	}
	if status := leader.status("/my/deductions/1"); status != http.StatusNotFound {
		t.Errorf("the unit sees a draft: status %d", status)
	}
	li.post("/deductions/1/notify", url.Values{"days": {"5"}})
	rule("1", "每少播一个时段扣分，晚间加倍。", "1") // does not touch what was made before

	year := string(day[:4])
	counted, gone := year+"年累计扣 0.5 分", year+"年累计扣 0 分"
	notice := text(leader.get("/my/deductions/1"))
	for _, want := range []string{"播放-1 第1版", "每少播一个时段扣分。", "−0.5", "松风苑南门", "未播", "断电", "从未联系", "当时主控正常", "应播 1，已播 0，未播或待报 1", "24时", counted} {
		if !strings.Contains(notice, want) {
			t.Errorf("the notice does not say %q: %s", want, notice)
		}
	}
	if paper := text(li.get("/deductions/1/notice")); !strings.Contains(paper, "扣分告知单") || !strings.Contains(paper, "单位签收") || !strings.Contains(paper, "播放-1 第1版") {
		t.Errorf("the paper: %s", paper)
	}

	leader.appeal("/my/deductions/1", "当晚小区停电，有供电所的停电通知。", photoWithPlace(t))
	page := li.get("/deductions/1")
	for _, want := range []string{"申诉中", "当晚小区停电", "设备开机与运行记录", "19:02:00 启动", "主控中断", "松风苑北门", "由签发人或督导员决定"} {
		if !strings.Contains(text(page), want) {
			t.Errorf("the office does not see %q: %s", want, text(page))
		}
	}
	photo := li.fetch(field(t, regexp.MustCompile(`src="(/deductions/1/photos/\d+)"`), page))
	if _, err := jpeg.Decode(bytes.NewReader(photo)); err != nil || bytes.Contains(photo, []byte("GPS")) {
		t.Errorf("the photo: %v, with the place where it was taken: %v", err, bytes.Contains(photo, []byte("GPS")))
	}
	if status := li.refused("/deductions/1/decide", url.Values{"to": {"revoked"}, "reason": {"我自己撤销"}}); status != http.StatusForbidden {
		t.Errorf("a clerk decides: status %d", status)
	}
	if said := text(chen.get("/deductions/1")); !strings.Contains(said, counted) {
		t.Errorf("before the decision: %s", said)
	}
	chen.post("/deductions/1/decide", url.Values{"to": {"revoked"}, "reason": {"停电属实，予以撤销"}})
	for who, page := range map[string]string{"office": chen.get("/deductions/1"), "unit": leader.get("/my/deductions/1")} {
		if said := text(page); !strings.Contains(said, gone) || !strings.Contains(said, "停电属实，予以撤销") || !strings.Contains(said, "播放-1 第1版") || !strings.Contains(said, "−0.5") {
			t.Errorf("after the decision the %s sees: %s", who, said)
		}
	}
	if steps := text(chen.get("/deductions/1")); !regexp.MustCompile(`拟扣.*li.*已告知.*li.*申诉中.*leader.*撤销.*chen`).MatchString(steps) {
		t.Errorf("the history: %s", steps)
	}
}
