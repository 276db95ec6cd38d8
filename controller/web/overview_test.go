package web

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

func TestOverviewFiguresSum(t *testing.T) {
	w := newWorld(t)
	d := w.as(t, "inspector").page("/")
	numbers := d.texts("[data-live=live-figures] .figures dd")
	if len(numbers) != 10 {
		t.Fatalf("figures %q, want 8 counts and 2 rates", numbers)
	}
	owed, err := strconv.Atoi(numbers[0])
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, n := range numbers[1:8] {
		i, err := strconv.Atoi(n)
		if err != nil {
			t.Fatalf("figure %q: %v", n, err)
		}
		sum += i
	}
	// 41 gates with three slots, 5 village points with two.
	if owed != 41*3+5*2 || sum != owed {
		t.Errorf("owed %d, sum of the others %d, want 133", owed, sum)
	}
	d.has("[data-live=live-figures] .card-f", "合计相符：133 = ")
	if rate := numbers[8]; !strings.HasSuffix(strings.Fields(rate)[0], "%") {
		t.Errorf("confirmed rate %q", rate)
	}
}

func TestOverviewSaysThatNothingCanBeStored(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		name     string
		err      error
		zh, en   string
		troubled bool
	}{
		{"full", &fleet.Error{Code: fleet.Full}, "这台电脑的磁盘已满", "This machine's disk is full", true},
		{"broken", errors.New("input/output error"), "数据库写不进去", "The database takes no changes", true},
		{"fine", nil, "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.serve(t, func(o *Options) { o.Trouble = func() error { return tt.err } })
			c := w.as(t, "inspector")
			if !tt.troubled {
				if got := textOf(c.page("/").all("body")[0]); strings.Contains(got, "存不了数据") {
					t.Errorf("a disk in order is complained about: %q", got)
				}
				return
			}
			c.page("/").has("li.cond:first-child", "控制端存不了数据")
			c.page("/").has("li.cond:first-child", tt.zh)
			c.page("/?lang=en").has("li.cond:first-child", tt.en)
		})
	}
}

func TestOverviewWall(t *testing.T) {
	w := newWorld(t)
	d := w.as(t, "inspector").page("/")
	d.count(".wall-row", 8)
	d.count(".tile", 48)
	d.count(".tile .cells.bare", 2)
	tile := func(name string) string {
		for _, n := range d.all(".tile") {
			if strings.HasPrefix(textOf(n), name) {
				return textOf(n)
			}
		}
		t.Fatalf("no tile of %q", name)
		return ""
	}
	if got := tile("云阶台侧门"); !strings.Contains(got, "早 未播，中 未播，晚 播放中") {
		t.Errorf("tile %q", got)
	}
	if got := tile("松风苑南门"); !strings.Contains(got, "演示") || !strings.Contains(got, "3/6") {
		t.Errorf("a tile that plays into a file: %q", got)
	}
	if got := tile("晴川府西门"); !strings.Contains(got, "早 待报") || strings.Contains(got, "播放中") {
		t.Errorf("an offline tile claims to play: %q", got)
	}
	d.has(".page-h h1", "11月23日 星期一 工作日")
	d.has("[data-live=live-lead]", "晚 18:00–18:30 进行中")
}

func TestOverviewNamesWhatNeedsSomeone(t *testing.T) {
	w := newWorld(t)
	d := w.as(t, "inspector").page("/")
	heads := d.texts("[data-live=live-needs] .cond h3")
	want := map[string]string{
		"云阶台侧门": "设备故障", "星渡湾二号门": "时钟待校", "晴川府西门": "离线", "谷雨里南门": "存疑 2 段", "麦浪庭西门": "计划过旧",
	}
	for point, what := range want {
		found := false
		for _, h := range heads {
			found = found || (strings.HasPrefix(h, point) && strings.Contains(h, what))
		}
		if !found {
			t.Errorf("nothing says %q at %s; there is %q", what, point, heads)
		}
	}
	if last := heads[len(heads)-1]; last != "2 个点位还没有设备" {
		t.Errorf("last entry %q", last)
	}
	d.has("[data-live=live-needs] .who", "136****9018")
	if strings.Contains(textOf(d.root), "13600009018") {
		t.Error("an unmasked phone number is on the page")
	}
	d.has("[data-live=live-next]", "18:30")
	d.has("[data-live=live-ops]", "admin 为 初夏庭南门 生成接入码")
}

func TestOverviewOfAnEmptyOffice(t *testing.T) {
	w := newEmptyWorld(t)
	d := w.as(t, "admin").page("/")
	d.has("[data-live=live-wall] .empty", "还没有点位")
	d.has("[data-live=live-needs] .empty", "现在没有要处理的")
	d.has("[data-live=live-figures] .figures .wide dd", "—")
}

func TestWallOfACityShowsWhatIsWrong(t *testing.T) {
	p := &places{unit: map[fleet.UnitID]fleet.Unit{1: {ID: 1, Name: "松风社区"}}, unitOrder: []fleet.UnitID{1}, device: map[fleet.PointID]fleet.Device{}}
	for i := range wallPoints + 1 {
		id := fleet.PointID(i + 1)
		p.points = append(p.points, fleet.Point{ID: id, Unit: 1, Name: fmt.Sprintf("%d号门", id)})
		p.device[id] = fleet.Device{ID: wire.DeviceID(fmt.Sprint(id)), Online: id != 7, LastSeen: testNow}
	}
	w := newEmptyWorld(t)
	view := w.server.langs["zh"].overviewOf(p, nil, nil, testNow)
	if len(view.Wall) != 1 || len(view.Wall[0].Tiles) != 1 || view.Wall[0].Tiles[0].Name != "7号门" || view.Wall[0].Quiet != wallPoints || view.Issues != 1 {
		t.Errorf("wall of %d points with one offline = %+v, %d issues", len(p.points), view.Wall, view.Issues)
	}
}
