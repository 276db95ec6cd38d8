package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
)

func TestClipListIsFilteredSortedAndPaged(t *testing.T) {
	w := newEmptyWorld(t)
	for i := range 120 {
		c := fleet.Clip{
			SHA256: fmt.Sprintf("%064x", i+1), Name: fmt.Sprintf("clip-%03d", i), Title: fmt.Sprintf("素材%03d", 119-i), ScamType: fleet.ScamTypes[i%2],
			Audience: fleet.Audiences[i%3], Rate: 24000, Frames: int64(24000 * (i + 2)), Uploaded: testNow.Add(time.Duration(i) * time.Minute), By: "clerk",
		}
		if _, err := w.store.AddClip(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	c := w.as(t, "inspector")
	first := func(path string) string { return c.page(path).texts("[data-live=live-clips] tbody .strong")[0] }
	tests := []struct{ path, want string }{
		{"/clips", "素材000"}, {"/clips?dir=back", "素材119"}, {"/clips?sort=title", "素材000"}, {"/clips?sort=title&dir=back", "素材119"},
		{"/clips?sort=length", "素材119"}, {"/clips?sort=length&dir=back", "素材000"}, {"/clips?page=3", "素材100"}, {"/clips?sort=title&q=%E7%B4%A0%E6%9D%9003", "素材030"},
		{"/clips?sort=title&for=" + url.QueryEscape(fleet.AudienceElderly), "素材001"}, {"/clips?sort=title&type=" + url.QueryEscape(fleet.ScamTypes[1]), "素材000"},
	}
	for _, tt := range tests {
		if got := first(tt.path); got != tt.want {
			t.Errorf("%s begins with %q, want %q", tt.path, got, tt.want)
		}
	}
	d := c.page("/clips?sort=title&page=2")
	d.count("[data-live=live-clips] tbody tr", clipsPerPage)
	d.has("nav.card-f", "2")
	if got := d.attr("th.sorted", "aria-sort"); got != "ascending" {
		t.Errorf("aria-sort = %q", got)
	}
	c.page("/clips?q=100%25").count("[data-live=live-clips] tbody tr", 0)
}

func TestClipTagsAndSpokenText(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	clip, err := w.store.ClipByName(t.Context(), "kefu")
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"type": {"冒充客服"}, "audience": {fleet.AudienceEveryone, "外星人", fleet.AudienceElderly}, "spoken": {"先挂断，再打九六幺幺零。"}}
	if res := c.post(clipPath(clip.ID)+"/tags", form); res.Code != 303 {
		t.Fatalf("tagging: %d\n%s", res.Code, res.Body)
	}
	got, err := w.store.Clip(t.Context(), clip.ID)
	if err != nil || got.Audience != "老年、通用" || got.Spoken != form.Get("spoken") || got.State != clip.State || got.Revision != clip.Revision {
		t.Errorf("clip %+v, %v", got, err)
	}
	c.page(clipPath(clip.ID)).has(".said", "九六幺幺零")
	if log := w.lastAudit(t); log.What != fleet.AuditClipTags || !strings.Contains(log.After, "老年、通用") {
		t.Errorf("audit %+v", log)
	}
}

func (w *world) lastAudit(t testing.TB) fleet.Audit {
	t.Helper()
	all, err := w.store.Audits(t.Context(), 1)
	if err != nil || len(all) == 0 {
		t.Fatal(err)
	}
	return all[0]
}

func TestNewVersionOfAClipChangesNoProgramme(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	old, err := w.store.ClipByName(t.Context(), "kefu")
	if err != nil {
		t.Fatal(err)
	}
	res := c.uploadTo(clipPath(old.ID)+"/version", nil, testFile{"新录.wav", tone(t, 4, 16000, .2)})
	d := c.page(res.Header().Get("Location"))
	d.has(".notice[data-tone=ok] h3", "“新录.wav” 已收下")
	fresh, err := w.store.ClipByName(t.Context(), "kefu-v2")
	if err != nil || fresh.First != old.ID || fresh.Version != 2 || fresh.Title != old.Title || fresh.Audience != old.Audience || fresh.State != fleet.ClipSubmitted {
		t.Fatalf("new version %+v, %v", fresh, err)
	}
	for _, id := range []fleet.ClipID{old.ID, fresh.ID} {
		d := c.page(clipPath(id))
		d.count("#versions tbody tr", 2)
		if got := d.texts("#versions tbody th"); !slices.Equal(got, []string{"第 2 版", "第 1 版"}) {
			t.Errorf("versions %q", got)
		}
	}
	if now, err := w.store.ClipByName(t.Context(), "kefu"); err != nil || now.SHA256 != old.SHA256 {
		t.Errorf("programmes name another sound now: %+v, %v", now, err)
	}
}

func TestShareOfThePlannedPlays(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	d := c.page("/clips")
	week, err := w.planner.Week(t.Context(), weekDays, testNow)
	if err != nil {
		t.Fatal(err)
	}
	sum := fleet.ShareOf(week.Plays)
	percent, ok := sum.Percent()
	if !ok || sum.Plays < 1000 {
		t.Fatalf("the week has %+v", sum)
	}
	d.has("#share .state", fmt.Sprintf("%d%%，目标 60%%", percent))
	d.has("#share p", fmt.Sprintf("共 %d 次播放", sum.Plays))
	c.page("/programmes").has("#share .state", fmt.Sprintf("%d%%，目标 60%%", percent))
	if res := c.post("/clips/share", url.Values{"percent": {"99%"}}); res.Code != 303 {
		t.Fatalf("setting the share: %d", res.Code)
	}
	c.page("/clips").has("#share .state[data-tone=warn]", "目标 99%")
	if res := c.post("/clips/share", url.Values{"percent": {"101"}}); res.Code != 422 {
		t.Errorf("101 percent: %d", res.Code)
	}
}
