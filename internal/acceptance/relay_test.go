package acceptance

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg" // as the office keeps pictures
	"image/png"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
	"gatecast/controller/relay"
	"gatecast/controller/store"
)

// screenshot is a small picture.
func screenshot(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 30, 60))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tick ticks one's own task with a screenshot.
func (p *person) tick(path string, shot []byte) {
	p.o.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("shot", "shot.png")
	if err != nil {
		p.o.t.Fatal(err)
	}
	_, _ = part.Write(shot) // to memory
	if err := w.Close(); err != nil {
		p.o.t.Fatal(err)
	}
	res, err := p.client.Post(p.o.web+path, w.FormDataContentType(), &b)
	if said := p.o.page(p.login+": POST "+path, res, err); !strings.Contains(said, "已记为转发") {
		p.o.t.Fatalf("%s ticks %s: %s", p.login, path, text(said))
	}
}

var ownTask = regexp.MustCompile(`action="(/my/relay/\d+)"`)

// tasks returns the forms of what somebody has to pass on.
func (p *person) tasks() (out []string) {
	p.o.t.Helper()
	for _, m := range ownTask.FindAllStringSubmatch(p.get("/my/relay"), -1) {
		out = append(out, m[1])
	}
	return out
}

// yesterdaysItem passes an item down to tier 2 by the desk's own rules, with
// its clock at yesterday 14:00, and returns it.
func yesterdaysItem(t *testing.T, books *store.Store, zone *time.Location) fleet.RelayID {
	t.Helper()
	y, m, d := time.Now().In(zone).AddDate(0, 0, -1).Date()
	now := time.Date(y, m, d, 14, 0, 0, 0, zone)
	desk, err := relay.New(relay.Options{Book: books, Places: books, Settings: books, Zone: zone, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	id, err := desk.Create(t.Context(), fleet.RelayItem{Text: "谨防冒充客服退款", Source: "区总指挥群", By: "clerk", Name: "张工"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := books.RelayTasks(t.Context(), fleet.RelayFilter{Item: id})
	if err != nil || len(tasks) != 1 {
		t.Fatalf("an item begins with the tasks %+v, %v", tasks, err)
	}
	now = now.Add(5 * time.Minute)
	if err := desk.Tick(t.Context(), tasks[0].ID, fleet.User{Login: "clerk", Name: "张工"}, nil); err != nil {
		t.Fatal(err)
	}
	return id
}

// newRelayOffice is an office with three tiers of groups, an account for each
// unit, and an item of yesterday that stopped at tier 2.
func newRelayOffice(t *testing.T) (*office, []*person, fleet.RelayID) {
	t.Helper()
	var groups strings.Builder
	groups.WriteString("groups:\n")
	count := map[string]int{}
	for _, g := range groupsOf(tieredUnits) {
		place := fmt.Sprintf("%d-%s-%02d", g.tier, g.unit.code, g.grid)
		count[place]++
		fmt.Fprintf(&groups, "  - {code: G-%s-%d, tier: %d, name: %s, unit: %s, grid: %d, owner: 张工}\n", place, count[place], g.tier, g.name, g.unit.code, g.grid)
	}
	o := layOutTiers(t, tieredUnits, groups.String())
	once := o.oncePasswordOf("admin")
	o.process = &process{done: make(chan struct{})}
	close(o.process.done) // it has not been started
	books := o.books()
	hash, err := auth.Hash(personPassword)
	if err != nil {
		t.Fatal(err)
	}
	units, err := books.Units(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var people []*person
	for _, u := range tieredUnits {
		at := slices.IndexFunc(units, func(unit fleet.Unit) bool { return unit.Code == u.code })
		login := strings.ToLower(u.code)
		if _, err := books.SaveUser(t.Context(), fleet.User{Login: login, Name: u.name, Role: fleet.UnitAccount, Unit: units[at].ID, Password: hash, PasswordSet: time.Now(), Created: time.Now()}); err != nil {
			t.Fatal(err)
		}
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		people = append(people, &person{o: o, login: login, client: &http.Client{Jar: jar, Timeout: 30 * time.Second}})
	}
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		t.Fatal(err)
	}
	late := yesterdaysItem(t, books, zone)
	if err := books.Close(); err != nil {
		t.Fatal(err)
	}
	o.start()
	o.logIn(once)
	for _, p := range people {
		p.post("/login", url.Values{"login": {p.login}, "password": {personPassword}})
	}
	return o, people, late
}

// Scenario C20: the office pastes an item once and ticks tier 1; that makes a
// task for each of the eight groups of tier 2, and their ticks the 23 of tier 3.
// Owners tick their own with a screenshot. Of yesterday's item the tree shows
// where it stopped, and the list of what is overdue says whom to call. Nothing
// is posted anywhere: people pass it on.
func TestRelayOfOneItemDownTheTiers(t *testing.T) {
	t.Parallel()
	o, people, late := newRelayOffice(t)
	yesterday := fmt.Sprintf("/relay/%d", late)

	const item = "今天有人冒充燃气公司上门收费，请转告居民。"
	said := o.post("/relay", url.Values{"text": {item}, "source": {"区总指挥群"}})
	first := regexp.MustCompile(`action="((/relay/\d+)/tasks/\d+)"`).FindStringSubmatch(said)
	if first == nil || first[2] == yesterday {
		t.Fatalf("nothing to tick after the item was pasted\n%s", text(said))
	}
	path := first[2]
	tiers := func(path string, want ...string) {
		t.Helper()
		said := text(o.get(path))
		for i, one := range []string{"一级 指挥群", "二级 组织群", "三级 宣传群"} {
			if !strings.Contains(said, one+" "+want[i]+" 已转发") {
				t.Errorf("%s has not passed on %s: %s", one, want[i], said)
			}
		}
	}
	tiers(path, "0/1", "0/8", "0/23")
	if said := text(o.get(path)); !strings.Contains(said, "8 没收到") || !strings.Contains(said, "23 没收到") {
		t.Errorf("before tier 1 ticked: %s", said)
	}
	o.post(first[1], nil)
	tiers(path, "1/1", "0/8", "0/23")
	if said := text(o.get(path)); !strings.Contains(said, "8 待转") || !strings.Contains(said, "23 没收到") {
		t.Errorf("after tier 1 ticked: %s", said)
	}

	shot := screenshot(t)
	for i, p := range people {
		page := p.get("/my/relay")
		if !strings.Contains(page, `data-copy="`+item+`"`) {
			t.Errorf("%s has nothing to copy\n%s", p.login, text(page))
		}
		mine := p.tasks()
		if len(mine) != 2 { // yesterday's too
			t.Fatalf("%s has %d tasks, want 2", p.login, len(mine))
		}
		p.tick(taskAbout(t, page, item), shot)
		if got, want := len(p.tasks()), 1+tieredUnits[i].grids; got != want {
			t.Errorf("%s has %d tasks after its tick, want %d", p.login, got, want)
		}
	}
	tiers(path, "1/1", "8/8", "0/23")
	if said := text(o.get(path)); !strings.Contains(said, "23 待转") {
		t.Errorf("after tier 2 ticked: %s", said)
	}
	own := taskAbout(t, people[0].get("/my/relay"), item)
	if status := people[1].refused(own, nil); status != http.StatusNotFound {
		t.Errorf("another unit ticks the task: %d", status)
	}
	people[0].tick(own, shot)
	tiers(path, "1/1", "8/8", "1/23")
	tree := o.get(path)
	shots := regexp.MustCompile(`href="(`+path+`/tasks/\d+/shot)"`).FindAllStringSubmatch(tree, -1)
	if len(shots) != 9 {
		t.Fatalf("the tree leads to %d screenshots, want 9", len(shots))
	}
	if seen, kind, err := image.DecodeConfig(strings.NewReader(o.get(shots[0][1]))); err != nil || kind != "jpeg" || seen.Width != 30 || seen.Height != 60 {
		t.Errorf("the screenshot is %s %v, %v", kind, seen, err)
	}

	tiers(yesterday, "1/1", "0/8", "0/23")
	stopped := text(o.get(yesterday))
	for _, want := range []string{"8 逾期", "23 没收到", "停在 示例街道松风反电诈组织群 · 其下 3 个群没收到", "示例街道青山反电诈组织群 · 其下 2 个群没收到"} {
		if !strings.Contains(stopped, want) {
			t.Errorf("the tree of yesterday does not say %q: %s", want, stopped)
		}
	}
	overdue := o.get("/relay/overdue")
	for _, u := range tieredUnits {
		if got := strings.Count(section(t, overdue, "overdue", "dg-h"), "示例街道"+u.short+"反电诈组织群"); got != 1 {
			t.Errorf("%s is overdue %d times, want once", u.name, got)
		}
	}
	if said := text(overdue); !strings.Contains(said, "8 个群还有逾期未转发的内容") || !strings.Contains(said, "谨防冒充客服退款") || strings.Contains(said, "燃气公司") {
		t.Errorf("what is overdue: %s", said)
	}
	people[0].tick(taskAbout(t, people[0].get("/my/relay"), "谨防冒充客服退款"), shot)
	if said := text(o.get("/relay/overdue")); !strings.Contains(said, "7 个群还有逾期未转发的内容") || strings.Contains(said, "松风") {
		t.Errorf("after one of them was passed on late: %s", said)
	}
	if said := text(o.get("/")); !strings.Contains(said, "7 个群逾期未转发") {
		t.Errorf("the overview does not tell: %s", said)
	}
	tiers(yesterday, "1/1", "1/8", "0/23")
}

// taskAbout returns the form of the first open task about an item.
func taskAbout(t *testing.T, page, item string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, `<p class="pre">`+item)
	m := ownTask.FindStringSubmatch(rest)
	if !ok || m == nil {
		t.Fatalf("no task about %q\n%s", item, text(page))
	}
	return m[1]
}
