package bulletin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/controller/fleet"
)

// Style is what the office sets once for all its bulletins.
type Style struct {
	Masthead  string       `json:"masthead"`   // 反电诈宣传工作简报
	Issuer    string       `json:"issuer"`     // 编发单位
	Report    string       `json:"report"`     // 报; empty leaves the line out
	Send      string       `json:"send"`       // 送
	Give      string       `json:"give"`       // 发
	Copies    int          `json:"copies"`     // 共印N份; 0 leaves it out
	WeekStart time.Weekday `json:"week_start"` // on which a period of seven days begins
	Manual    bool         `json:"manual"`     // no draft is made by itself
}

const styleKey = "bulletin.style"

// Style returns what is set; where nothing is, names that follow from the
// office's own.
func (d *Desk) Style(ctx context.Context) (Style, error) {
	office := d.o.Office
	units, err := d.o.Places.Units(ctx)
	if err != nil {
		return Style{}, fmt.Errorf("reading units: %w", err)
	}
	for _, u := range units {
		if u.Parent == 0 && u.Type == fleet.Subdistrict {
			office = u.Name
			break
		}
	}
	s := Style{
		Masthead: "反电诈宣传工作简报", Issuer: office + "反电诈宣传工作领导小组办公室",
		Report: "上级反电诈宣传总指挥部办公室", Send: office + "领导小组组长、副组长", Give: "各社区、村，各成员单位",
		WeekStart: time.Monday,
	}
	doc, err := d.o.Settings.Setting(ctx, styleKey)
	if err != nil || doc == "" {
		return s, err
	}
	if err := json.Unmarshal([]byte(doc), &s); err != nil {
		return s, fmt.Errorf("setting %q: %w", styleKey, err)
	}
	return s, nil
}

// SetStyle keeps s for drafts and for what is issued from now on.
func (d *Desk) SetStyle(ctx context.Context, by fleet.User, s Style) error {
	if !fleet.May(by.Role, fleet.ActCompose) {
		return forbidden()
	}
	for _, f := range []*string{&s.Masthead, &s.Issuer, &s.Report, &s.Send, &s.Give} {
		*f = strings.Join(strings.Fields(*f), " ")
	}
	for _, f := range []struct {
		zh, en, text string
		least, most  int
	}{
		{"通报名称", "The name of the bulletin", s.Masthead, 2, 20}, {"编发单位", "The issuing unit", s.Issuer, 2, 40},
		{"报", "The first line of the distribution", s.Report, 0, 80}, {"送", "The second line of the distribution", s.Send, 0, 80}, {"发", "The third line of the distribution", s.Give, 0, 80},
	} {
		if n := utf8.RuneCountInString(f.text); n < f.least || n > f.most {
			return &fleet.Error{Code: fleet.Invalid, Text: fmt.Sprintf("“%s”请写 %d 到 %d 个字。", f.zh, f.least, f.most), TextEN: fmt.Sprintf("%s takes %d to %d characters.", f.en, f.least, f.most)}
		}
	}
	if s.Copies < 0 || s.Copies > 10_000 || s.WeekStart < time.Sunday || s.WeekStart > time.Saturday {
		return &fleet.Error{Code: fleet.Invalid, Text: "印数请填 0 到 10000。", TextEN: "The number of copies is from 0 to 10,000."}
	}
	doc, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding the style: %w", err)
	}
	return d.o.Settings.SetSetting(ctx, styleKey, string(doc))
}

// LastPeriod returns the last seven days that are over at now and begin on the
// weekday of s.
func (s Style) LastPeriod(now time.Time, zone *time.Location) (from, to fleet.Day) {
	local := now.In(zone)
	back := (int(local.Weekday()) - int(s.WeekStart) + 7) % 7 // days since the present period began
	day := func(n int) fleet.Day {
		return fleet.Day(time.Date(local.Year(), local.Month(), local.Day()-back+n, 12, 0, 0, 0, zone).Format(time.DateOnly))
	}
	return day(-7), day(-1)
}
