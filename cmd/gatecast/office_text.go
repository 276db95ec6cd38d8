package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gatecast/controller/client"
	"gatecast/controller/web"
)

// cell is text on one line of a terminal: what would move the cursor or turn
// the writing round becomes a space.
func cell(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}

// word is what the pages call a code, or the code where they have no word.
func (a *office) word(prefix, code string) string {
	words, err := web.Words(a.o.lang)
	if err != nil || code == "" {
		return code
	}
	if text := words(prefix + code); text != prefix+code {
		return text
	}
	return code
}

// when is a time in the zone of the run, or a dash.
func (a *office) when(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.In(a.zone).Format("2006-01-02 15:04")
}

func (a *office) clock(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.In(a.zone).Format("15:04")
}

func (a *office) head(zh, en string) []string { return strings.Split(a.pick(zh, en), "|") }

func (a *office) statusHead() []string {
	return a.head("主控|"+cell(a.URL), "controller|"+cell(a.URL))
}

func (a *office) statusRows(h client.Health, today client.Compliance) [][]string {
	state := a.pick("正常", "ok")
	if h.Status != "ok" {
		state = a.pick("有故障，请看主控的日志", "trouble, see the controller's log")
		if e := h.Trouble; e != nil && e.Text != "" {
			state = a.pick("有故障：", "trouble: ") + a.pick(e.Text, e.TextEN)
		}
	}
	n := today.Total
	rate := a.pick("今天无应播", "nothing owed")
	if n.Confirmed != nil {
		rate = fmt.Sprintf("%.1f%%", 100**n.Confirmed)
	}
	return [][]string{
		{a.pick("状态", "state"), state},
		{a.pick("版本", "version"), h.Version},
		{a.pick("点位", "points"), strconv.Itoa(h.Points)},
		{a.pick("设备在线", "devices online"), fmt.Sprintf("%d / %d", h.Online, h.Devices)},
		{a.pick("未处理安全事件", "open incidents"), strconv.Itoa(h.Incidents)},
		{a.pick("今天", "today"), today.From},
		{a.pick("应播", "owed"), strconv.Itoa(n.Owed)},
		{a.pick("已播", "played"), strconv.Itoa(n.Played)},
		{a.pick("未播", "missed"), strconv.Itoa(n.Missed)},
		{a.pick("待报", "pending"), strconv.Itoa(n.Pending)},
		{a.pick("确认达标率", "confirmed rate"), rate},
	}
}

func (a *office) pointHead() []string {
	return a.head("编号|名称|类型|单位|设备|最近在线|计划|缺素材", "code|name|kind|unit|device|last seen|plan|clips missing")
}

func (a *office) pointRows(all []client.Point) (rows [][]string) {
	for _, p := range all {
		row := []string{p.Code, p.Name, a.word("kind.", p.Kind), p.UnitName, a.pick("无", "none"), "-", "-", "-"}
		if d := p.Device; d != nil {
			row[4] = a.pick("离线", "offline")
			if d.Online {
				row[4] = a.pick("在线", "online")
			}
			row[5], row[6], row[7] = a.when(d.Seen), fmt.Sprintf("%d/%d", d.Plan, d.WantPlan), strconv.Itoa(d.Missing)
		}
		rows = append(rows, row)
	}
	return rows
}

func (a *office) missedHead() []string {
	return a.head("日期|时段|起止|点位|名称|原因", "day|slot|window|point|name|reason")
}

func (a *office) missedRows(all []client.Obligation, name map[string]string) (rows [][]string) {
	for _, o := range all {
		rows = append(rows, []string{o.Day, o.Name, a.clock(o.Start) + "–" + a.clock(o.End), o.Point, name[o.Point], a.word("reason.", o.Reason)})
	}
	return rows
}

func (a *office) clipHead() []string {
	return a.head("编号|名称|标题|状态|时长|有效期|签发", "no.|name|title|state|length|valid|signed by")
}

func (a *office) clipRows(all []client.Clip) (rows [][]string) {
	for _, c := range all {
		valid := "-"
		if c.From != "" || c.Until != "" {
			valid = c.From + "–" + c.Until
		}
		length := time.Duration(c.MS) * time.Millisecond
		rows = append(rows, []string{strconv.FormatInt(c.ID, 10), c.Name, c.Title, a.word("clip.state.", c.State), length.Round(100 * time.Millisecond).String(), valid, c.Signer})
	}
	return rows
}

func (a *office) groupHead() []string {
	return a.head("编号|名称|级|单位|状态|群人数|户数|入群户数", "code|name|tier|unit|state|members|households|joined")
}

func (a *office) groupRows(all []client.Group) (rows [][]string) {
	for _, g := range all {
		rows = append(rows, []string{g.Code, g.Name, strconv.Itoa(g.Tier), g.Unit, a.word("groups.state.", g.State), strconv.Itoa(g.Members), strconv.Itoa(g.Households), strconv.Itoa(g.Joined)})
	}
	return rows
}

func (a *office) taskHead() []string {
	return a.head("转发|群|级|截止|超时|内容", "item|group|tier|due|late|text")
}

func (a *office) taskRows(all []client.RelayTask, text map[int64]string) (rows [][]string) {
	for _, t := range all {
		late := ""
		if t.Late {
			late = a.pick("超时", "late")
		}
		rows = append(rows, []string{strconv.FormatInt(t.Item, 10), t.Name, strconv.Itoa(t.Tier), a.when(t.Due), late, short(text[t.Item], 40)})
	}
	return rows
}
