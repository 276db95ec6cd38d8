package bulletin

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// none stands where there is nothing to say; it is never 0.
const none = "—"

// titles of the chapters.
var titles = map[string]string{
	fleet.ChapterCases: "本周发案情况", fleet.ChapterCards: "涉诈“两卡”线索", fleet.ChapterPersons: "涉诈重点人核减",
	fleet.ChapterPlayback: "广播播放情况", fleet.ChapterFeedback: "群转发与问题反馈", fleet.ChapterInspections: "督导检查",
	fleet.ChapterDeductions: "扣分与申诉", fleet.ChapterCorrections: "更正", fleet.ChapterTasks: "下周要求",
}

// drafting is what chapters are made of.
type drafting struct {
	d        *Desk
	b        fleet.Bulletin
	now      time.Time
	units    []fleet.Unit
	name     map[fleet.UnitID]string
	from, to time.Time // instants of the period, to not included
	tables   int
	printed  []fleet.BulletinCorrection
}

// Compose returns what b says: as it was issued, or with the figures of now.
func (d *Desk) Compose(ctx context.Context, b fleet.Bulletin, now time.Time) (fleet.BulletinContent, error) {
	if b.State == fleet.BulletinIssued {
		return b.Frozen()
	}
	c, _, err := d.compose(ctx, b, now)
	return c, err
}

// compose writes b with the figures of now, whatever its state.
func (d *Desk) compose(ctx context.Context, b fleet.Bulletin, now time.Time) (fleet.BulletinContent, []fleet.BulletinCorrection, error) {
	s, err := d.Style(ctx)
	if err != nil {
		return fleet.BulletinContent{}, nil, err
	}
	c := fleet.BulletinContent{Kind: b.Kind, Masthead: s.Masthead, Issuer: s.Issuer, Report: s.Report, Send: s.Send, Give: s.Give, Copies: s.Copies}
	w := &drafting{d: d, b: b, now: now, name: map[fleet.UnitID]string{}}
	if w.units, err = d.o.Places.Units(ctx); err != nil {
		return c, nil, fmt.Errorf("reading units: %w", err)
	}
	for _, u := range w.units {
		w.name[u.ID] = u.Name
	}
	if b.Kind != fleet.WeeklyBulletin {
		return w.typed(c), nil, nil
	}
	if w.from, w.to, err = w.span(); err != nil {
		return c, nil, err
	}
	if w.printed, err = d.o.Archive.CorrectionsToPrint(ctx); err != nil {
		return c, nil, fmt.Errorf("reading corrections: %w", err)
	}
	c.Title = "反电诈宣传工作情况通报"
	c.Period = fmt.Sprintf("统计时段 %s 0时至%s 24时，数字截至 %s", w.date(w.from), w.date(w.to.Add(-time.Second)), now.In(d.o.Zone).Format("2006年1月2日15时04分"))
	for _, ch := range []struct {
		name string
		make func(context.Context, *fleet.BulletinContent, *fleet.BulletinChapter) error
	}{
		{fleet.ChapterCases, w.cases}, {fleet.ChapterCards, w.cards}, {fleet.ChapterPersons, w.persons}, {fleet.ChapterPlayback, w.playback},
		{fleet.ChapterFeedback, w.feedback}, {fleet.ChapterInspections, nil}, {fleet.ChapterDeductions, w.deductions}, {fleet.ChapterCorrections, w.corrections}, {fleet.ChapterTasks, nil},
	} {
		out := fleet.BulletinChapter{Name: ch.name, Text: b.Texts[ch.name]}
		if ch.make != nil {
			if err := ch.make(ctx, &c, &out); err != nil {
				return c, nil, fmt.Errorf("chapter %s: %w", ch.name, err)
			}
		}
		if (ch.name == fleet.ChapterCorrections || ch.name == fleet.ChapterDeductions) && len(out.Facts) == 0 {
			continue
		}
		if ch.make == nil && out.Text == "" {
			out.Facts = []string{"本期没有填报。"} // what is typed alone, and was not
		}
		out.Title = numeral(len(c.Chapters)+1) + "、" + titles[ch.name]
		c.Chapters = append(c.Chapters, out)
	}
	return c, w.printed, nil
}

// typed is a bulletin of which every word was typed.
func (w *drafting) typed(c fleet.BulletinContent) fleet.BulletinContent {
	c.Title = w.b.Subject
	if w.b.Kind == fleet.TeamReport {
		c.Masthead, c.Report, c.Send, c.Give, c.Copies = "督查专报", "领导小组组长、副组长", "", "", 0
	}
	ch := fleet.BulletinChapter{Name: fleet.ChapterText, Text: w.b.Texts[fleet.ChapterText]}
	if len(w.b.Units) > 0 {
		var names []string
		for _, u := range w.b.Units {
			names = append(names, w.name[u])
		}
		c.Give = strings.Join(names, "、")
		if w.b.Kind == fleet.TeamReport {
			c.Give = ""
			ch.Facts = []string{"涉及单位：" + strings.Join(names, "、") + "。"}
		}
	}
	c.Chapters = []fleet.BulletinChapter{ch}
	return c
}

// span returns the instants at which the period begins and ends.
func (w *drafting) span() (from, to time.Time, err error) {
	if from, err = time.ParseInLocation(time.DateOnly, string(w.b.From), w.d.o.Zone); err != nil {
		return from, to, fmt.Errorf("period of bulletin %d: %w", w.b.ID, err)
	}
	if to, err = time.ParseInLocation(time.DateOnly, string(w.b.To), w.d.o.Zone); err != nil {
		return from, to, fmt.Errorf("period of bulletin %d: %w", w.b.ID, err)
	}
	return from, time.Date(to.Year(), to.Month(), to.Day()+1, 0, 0, 0, 0, w.d.o.Zone), nil
}

func (w *drafting) date(t time.Time) string { return t.In(w.d.o.Zone).Format("2006年1月2日") }

// caption numbers the tables through the bulletin.
func (w *drafting) caption(text string) string {
	w.tables++
	return fmt.Sprintf("表%d　%s", w.tables, text)
}

// playback is chapter 四: what was owed and what came of it.
func (w *drafting) playback(ctx context.Context, c *fleet.BulletinContent, ch *fleet.BulletinChapter) error {
	figures, err := w.d.o.Ledger.UnitFigures(ctx, fleet.FiguresQuery{From: w.b.From, To: w.b.To})
	if err != nil {
		return err
	}
	c.Sums = map[fleet.UnitID]fleet.Counts{}
	by := map[fleet.UnitID]fleet.UnitFigures{}
	for _, f := range figures {
		c.Sums[f.Unit], by[f.Unit] = f.Counts, f
	}
	total := fleet.SumFigures(figures)
	sum := total.Counts
	if sum.Owed == 0 {
		ch.Facts = []string{"本期没有应播的时段。"}
		return nil
	}
	t := fleet.BulletinTable{
		Caption: w.caption("广播播放情况（段）"), Sum: true,
		Head: []string{"单位", "点位", "应播", "已播", "部分播", "未播", "存疑", "免播", "待报", "确认达标率", "按未播计"},
	}
	for _, u := range w.units {
		if f, ok := by[u.ID]; ok {
			t.Rows = append(t.Rows, countsRow(u.Name, f))
		}
	}
	t.Rows = append(t.Rows, countsRow("合计", total))
	ch.Tables = append(ch.Tables, t)
	ch.Facts = append(ch.Facts, fmt.Sprintf("应播%d段，已播%d段，确认达标率%s，按未播计%s。", sum.Owed, sum.Played, fleet.Percent(sum.Confirmed()), fleet.Percent(sum.CountingPending())))
	if sum.Due > 0 {
		ch.Facts = append(ch.Facts, fmt.Sprintf("另有%d段还没有结算，不在各栏之内。", sum.Due))
	}
	w.exempt(total, ch)
	grades(total, ch)
	return w.worst(ctx, sum, ch)
}

func countsRow(name string, f fleet.UnitFigures) []string {
	n, c := strconv.Itoa, f.Counts
	return []string{name, n(f.Points), n(c.Owed), n(c.Played), n(c.Partial), n(c.Missed), n(c.Doubt), n(c.Exempt), n(c.Pending), fleet.Percent(c.Confirmed()), fleet.Percent(c.CountingPending())}
}

// exempt says why slots were exempt.
func (w *drafting) exempt(f fleet.UnitFigures, ch *fleet.BulletinChapter) {
	if f.Counts.Exempt == 0 {
		return
	}
	var parts []string
	for _, r := range f.Reasons {
		if r.Verdict == fleet.Exempt {
			word := "按静默规定"
			if r.Reason != "" {
				word = w.d.o.Say("reason." + string(r.Reason))
			}
			parts = append(parts, fmt.Sprintf("%s%d段", word, r.N))
		}
	}
	ch.Facts = append(ch.Facts, fmt.Sprintf("免播%d段，不计入达标率：%s。", f.Counts.Exempt, strings.Join(parts, "，")))
}

// grades says how strong the evidence is; grade B is never called heard.
func grades(f fleet.UnitFigures, ch *fleet.BulletinChapter) {
	var parts []string
	for _, g := range []struct {
		grade fleet.Grade
		words string
	}{{fleet.GradeA, "A级实测有声"}, {fleet.GradeB, "B级设备已输出（未验证发声）"}, {fleet.GradeC, "C级人工登记"}, {fleet.GradeD, "D级仅已下发"}} {
		if n := f.Grades[g.grade]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s%d段", g.words, n))
		}
	}
	note := "注：存疑不计入已播。"
	if len(parts) > 0 {
		note = "注：已播中" + strings.Join(parts, "，") + "；存疑不计入已播。"
	}
	ch.Notes = append(ch.Notes, note)
	if f.Demo > 0 {
		ch.Notes = append(ch.Notes, fmt.Sprintf("注：应播中有%d段是演示，播到文件，不出声。", f.Demo))
	}
}

// worstListed is how many points the bulletin names.
const worstListed = 5

func (w *drafting) worst(ctx context.Context, sum fleet.Counts, ch *fleet.BulletinChapter) error {
	if sum.Missed+sum.Doubt+sum.Partial == 0 {
		ch.Facts = append(ch.Facts, "没有未播、存疑和部分播的时段。")
		return nil
	}
	reasons, err := w.d.o.Ledger.WorstPoints(ctx, w.b.From, w.b.To, worstListed)
	if err != nil {
		return err
	}
	points, err := w.d.o.Places.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return err
	}
	at := map[fleet.PointID]fleet.Point{}
	for _, p := range points {
		at[p.ID] = p
	}
	t := fleet.BulletinTable{Caption: w.caption("缺播较多的点位"), Head: []string{"点位", "所属", "段数", "结果", "原因"}, Words: 2}
	for i := 0; i < len(reasons); {
		p, n := reasons[i].Point, 0
		var results, why []string
		count := map[fleet.Verdict]int{}
		for ; i < len(reasons) && reasons[i].Point == p; i++ {
			n += reasons[i].N
			count[reasons[i].Verdict] += reasons[i].N
			if reasons[i].Reason != "" {
				why = appendNew(why, w.d.o.Say("reason."+string(reasons[i].Reason)))
			}
		}
		for _, v := range []fleet.Verdict{fleet.Missed, fleet.Doubt, fleet.Partial} {
			if count[v] > 0 {
				results = append(results, fmt.Sprintf("%s%d", w.d.o.Say("verdict."+string(v)), count[v]))
			}
		}
		if len(why) == 0 {
			why = []string{none}
		}
		t.Rows = append(t.Rows, []string{at[p].Name, w.name[at[p].Unit], strconv.Itoa(n), strings.Join(results, "、"), strings.Join(why, "、")})
	}
	ch.Tables = append(ch.Tables, t)
	return nil
}

func appendNew(list []string, s string) []string {
	for _, x := range list {
		if x == s {
			return list
		}
	}
	return append(list, s)
}

// feedback is chapter 五.
func (w *drafting) feedback(ctx context.Context, _ *fleet.BulletinContent, ch *fleet.BulletinChapter) error {
	sum, err := w.d.o.Relay.RelaySum(ctx, w.from, w.to, w.now)
	if err != nil {
		return err
	}
	switch {
	case sum.Items == 0:
		ch.Facts = append(ch.Facts, "本期没有下发转发内容。")
	case sum.Tasks == 0:
		ch.Facts = append(ch.Facts, fmt.Sprintf("下发转发内容%d条，各群还没有到转发时限。", sum.Items))
	default:
		ch.Facts = append(ch.Facts, fmt.Sprintf("下发转发内容%d条，各级群应转发%d次，按时%d次，按时率%s。", sum.Items, sum.Tasks, sum.InTime, fleet.Percent(float64(sum.InTime)/float64(sum.Tasks), true)))
	}
	return w.filed(ctx, ch)
}

// corrections is the chapter that corrects earlier issues.
func (w *drafting) corrections(_ context.Context, _ *fleet.BulletinContent, ch *fleet.BulletinChapter) error {
	for _, c := range w.printed {
		ch.Facts = append(ch.Facts, fmt.Sprintf("更正%d年第%d号：%s有下列数字更正。", c.Year, c.Number, c.Issue))
		t := fleet.BulletinTable{Caption: w.caption(fmt.Sprintf("更正%d年第%d号", c.Year, c.Number)), Head: []string{"出处", "单位", "栏目", "原", "现"}, Words: 2}
		for _, x := range c.Changes {
			t.Rows = append(t.Rows, []string{x.Table, x.Row, x.Column, x.Was, x.Now})
		}
		if len(t.Rows) > 0 {
			ch.Tables = append(ch.Tables, t)
		}
		if n := len(c.Slots); n > 0 {
			listed := c.Slots[:min(n, slotsListed)]
			text := "涉及时段：" + strings.Join(listed, "；")
			if n > slotsListed {
				text += fmt.Sprintf("；等%d段", n)
			}
			ch.Notes = append(ch.Notes, text+"。")
		}
	}
	return nil
}

// slotsListed is how many changed slots the paper names; the page lists all.
const slotsListed = 6

// numeral is a Chinese number from 一 to 十九.
func numeral(n int) string {
	digits := []string{"", "一", "二", "三", "四", "五", "六", "七", "八", "九"}
	if n < 10 {
		return digits[n]
	}
	return "十" + digits[n-10]
}

// encode is the form in which content is kept and hashed: the same content
// yields the same bytes, since maps are written by their keys in order.
func encode(c fleet.BulletinContent) ([]byte, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encoding a bulletin: %w", err)
	}
	return b, nil
}
