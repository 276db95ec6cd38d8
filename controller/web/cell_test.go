package web

import (
	"fmt"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// manySlots are slots of one name every two minutes from noon, as the demo has them.
func manySlots(point fleet.PointID, n int) []fleet.Obligation {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, shanghai)
	var rows []fleet.Obligation
	for i := range n {
		start := noon.Add(time.Duration(2*i) * time.Minute)
		rows = append(rows, fleet.Obligation{
			Point: point, Day: "2026-11-23", Slot: wire.SlotID(fmt.Sprintf("2026-11-23.demo.s-%d", i)), Name: "演示", Start: start, End: start.Add(time.Minute),
			Plays: 1, Verdict: fleet.Due,
		})
	}
	return rows
}

func TestColumnsOfManySlotsStandAroundNow(t *testing.T) {
	l := loadTestLanguages(t)["zh"]
	rows := append(manySlots(1, 50), manySlots(2, 50)...)
	tests := []struct {
		now         string
		first, last string
	}{
		{"11:00", "演示 12:00", "演示 12:10"},
		{"12:00", "演示 12:00", "演示 12:10"},
		{"12:21", "演示 12:14", "演示 12:24"},
		{"23:00", "演示 13:28", "演示 13:38"},
	}
	for _, tt := range tests {
		at, err := time.ParseInLocation("2006-01-02 15:04", "2026-11-23 "+tt.now, shanghai)
		if err != nil {
			t.Fatal(err)
		}
		cols := l.columns(rows, at)
		if len(cols) != maxColumns || cols[0].Text != tt.first || cols[len(cols)-1].Text != tt.last {
			t.Errorf("at %s: %d columns, %q to %q, want %q to %q", tt.now, len(cols), cols[0].Text, cols[len(cols)-1].Text, tt.first, tt.last)
		}
	}
}

func TestColumnsOfGatesAndVillages(t *testing.T) {
	l := loadTestLanguages(t)["zh"]
	at := func(h, m int) time.Time { return time.Date(2026, 11, 23, h, m, 0, 0, shanghai) }
	row := func(p fleet.PointID, name string, start time.Time) fleet.Obligation {
		return fleet.Obligation{Point: p, Day: "2026-11-23", Name: name, Start: start}
	}
	cols := l.columns([]fleet.Obligation{
		row(1, "晚", at(18, 0)), row(1, "早", at(7, 30)), row(1, "中", at(11, 20)), row(2, "晚", at(18, 30)), row(2, "早", at(7, 0)),
	}, at(9, 0))
	if got := l.columnTexts(cols); got != "早 07:00、中 11:20、晚 18:00" {
		t.Errorf("columns %q", got)
	}
}

func TestTodayOfManySlotsIsAWindow(t *testing.T) {
	rows := manySlots(1, 100)
	now := rows[40].Start
	got := around(rows, now)
	if len(got) != maxToday || got[len(got)-1].Start != rows[44].Start {
		t.Errorf("%d slots, the last at %s", len(got), got[len(got)-1].Start)
	}
	if got := around(rows[:5], now); len(got) != 5 {
		t.Errorf("a short day is cut to %d", len(got))
	}
}

func TestCellNeverClaimsMoreThanIsKnown(t *testing.T) {
	l := loadTestLanguages(t)["zh"]
	now := time.Date(2026, 11, 23, 18, 12, 0, 0, shanghai)
	slot := fleet.Obligation{Slot: "2026-11-23.p.evening", Name: "晚", Start: now.Add(-12 * time.Minute), End: now.Add(18 * time.Minute), Plays: 6, Verdict: fleet.Due}
	up := fleet.Device{ID: "d", Online: true, LastSeen: now.Add(-time.Second)}
	playing := up
	playing.Playing = "2026-11-23.p.evening#3"
	other := up
	other.Playing = "2026-11-23.p.noon#3"
	absurd := up
	absurd.Playing = "2026-11-23.p.evening#99"
	proved := slot
	proved.PlaysOK = 2
	ended := slot
	ended.End = now.Add(-time.Minute)
	settled := slot
	settled.Verdict, settled.Grade, settled.PlaysOK = fleet.Played, fleet.GradeB, 6
	tests := []struct {
		name    string
		o       fleet.Obligation
		d       fleet.Device
		v, text string
		title   string
	}{
		{"no_device", slot, fleet.Device{}, "due", "晚", "晚 18:00 未到：离线，结束后转待报"},
		{"silent_device", slot, fleet.Device{ID: "d", Online: true, LastSeen: now.Add(-time.Hour)}, "due", "晚", "晚 18:00 未到：离线，结束后转待报"},
		{"nothing_proved", slot, up, "now", "", "晚 18:00 播放中：到 18:30"},
		{"says_it_plays", slot, playing, "now", "3/6", "晚 18:00 播放中：到 18:30"},
		{"plays_another_slot", slot, other, "now", "", "晚 18:00 播放中：到 18:30"},
		{"says_nonsense", slot, absurd, "now", "", "晚 18:00 播放中：到 18:30"},
		{"proved", proved, up, "now", "2/6", "晚 18:00 播放中：到 18:30"},
		{"ended_not_settled", ended, up, "due", "晚", "晚 18:00 未到：已结束，等结算"},
		{"settled", settled, up, "played", "", "晚 18:00 已播：响了 6/6 次，设备已输出"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := l.cellOf(tt.o, tt.d, now)
			if c.V != tt.v || c.Text != tt.text || c.Title != tt.title {
				t.Errorf("cell %q %q %q, want %q %q %q", c.V, c.Text, c.Title, tt.v, tt.text, tt.title)
			}
		})
	}
}

func TestDevicesAreAwaitedAfterOurOwnStart(t *testing.T) {
	all, err := loadLanguages(shanghai, testNow)
	if err != nil {
		t.Fatal(err)
	}
	l := all["zh"]
	d := fleet.Device{ID: "d", LastSeen: testNow.Add(-time.Minute)}
	if got := l.touch(d, testNow.Add(time.Minute)); got != awaited {
		t.Errorf("a minute after the start: %v", got)
	}
	if got := l.touch(d, testNow.Add(reconnectFor)); got != outOfTouch {
		t.Errorf("when the time is over: %v", got)
	}
	if got := l.touch(fleet.Device{ID: "new"}, testNow); got != outOfTouch {
		t.Errorf("a device that was never here: %v", got)
	}
	d.Online = true
	if got := l.touch(d, testNow); got != inTouch {
		t.Errorf("back again: %v", got)
	}
}

func TestSpan(t *testing.T) {
	l := loadTestLanguages(t)
	tests := []struct {
		d      time.Duration
		zh, en string
	}{
		{0, "0 秒", "0 s"}, {9 * time.Second, "9 秒", "9 s"}, {100 * time.Second, "1 分 40 秒", "1 min 40 s"}, {5 * time.Minute, "5 分钟", "5 min"},
		{12*time.Minute + 30*time.Second, "12 分钟", "12 min"}, {92 * time.Minute, "1 小时 32 分", "1 h 32 min"}, {2 * time.Hour, "2 小时", "2 h"},
		{49 * time.Hour, "2 天 1 小时", "2 d 1 h"}, {24 * time.Hour, "1 天", "1 day"}, {-48 * time.Hour, "2 天", "2 days"},
	}
	for _, tt := range tests {
		if zh, en := l["zh"].Span(tt.d), l["en"].Span(tt.d); zh != tt.zh || en != tt.en {
			t.Errorf("Span(%v) = %q, %q, want %q, %q", tt.d, zh, en, tt.zh, tt.en)
		}
	}
}
