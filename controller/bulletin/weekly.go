package bulletin

import (
	"context"
	"fmt"
	"strings"

	"gatecast/controller/fleet"
)

// week returns the week that the period is, Monday to Sunday; ok is false for
// any other period.
func (w *drafting) week() (week fleet.ISOWeek, ok bool) {
	week, ok = fleet.WeekOfDay(w.b.From)
	return week, ok && week.Monday() == w.b.From && week.Sunday() == w.b.To
}

// rows are the weekly figures; none where there are none, and a fact that says
// why, unless something was typed in their place.
func (w *drafting) rows(ctx context.Context, ch *fleet.BulletinChapter) ([]fleet.FiguresRow, error) {
	week, ok := w.week()
	if !ok {
		return nil, unlessTyped(ch, "统计时段不是整周，没有可列的周数据。")
	}
	rows, err := w.d.o.Weekly.Figures(ctx, week)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r.Now.Version > 0 {
			return rows, nil
		}
	}
	return nil, unlessTyped(ch, "本期没有录入数据。")
}

func unlessTyped(ch *fleet.BulletinChapter, fact string) error {
	if ch.Text == "" {
		ch.Facts = []string{fact}
	}
	return nil
}

// figuresTable lists tallies by unit, each with 环比 and 同比, and their total.
func (w *drafting) figuresTable(caption string, rows []fleet.FiguresRow, tallies map[fleet.Tally]string) fleet.BulletinTable {
	t := fleet.BulletinTable{Caption: w.caption(caption), Head: []string{"单位"}, Sum: true}
	line := func(name string, r fleet.FiguresRow) {
		cells := []string{name}
		for _, m := range fleet.Tallies {
			if _, ok := tallies[m]; ok {
				cells = append(cells, countText(m, r.Now), trendText(r.OnWeek(m)), trendText(r.OnYear(m)))
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	for _, m := range fleet.Tallies {
		if name, ok := tallies[m]; ok {
			t.Head = append(t.Head, name, "环比", "同比")
		}
	}
	for _, r := range rows {
		line(r.Unit.Name, r)
	}
	line("合计", fleet.FiguresTotal(rows))
	return t
}

func countText(m fleet.Tally, f fleet.Figures) string {
	n, ok := f.Value(m)
	switch {
	case !ok:
		return none
	case m == fleet.TallyLoss:
		return fleet.Yuan(n)
	}
	return fmt.Sprint(n)
}

// trendText is a change as print has it: in percent, or in numbers where the
// earlier figure was 0; — where one of the two is not known.
func trendText(t fleet.Trend) string {
	switch {
	case !t.Known:
		return none
	case t.Diff == 0:
		return "持平"
	case !t.Rated:
		return fmt.Sprintf("+%d", t.Diff)
	case t.Diff > 0:
		return fmt.Sprintf("↑%.1f%%", t.Percent)
	}
	return fmt.Sprintf("↓%.1f%%", -t.Percent)
}

// cases is chapter 一.
func (w *drafting) cases(ctx context.Context, _ *fleet.BulletinContent, ch *fleet.BulletinChapter) error {
	rows, err := w.rows(ctx, ch)
	if err != nil || rows == nil {
		return err
	}
	total := fleet.FiguresTotal(rows)
	fact := fmt.Sprintf("发案%s起，环比%s，同比%s", countText(fleet.TallyCases, total.Now), trendText(total.OnWeek(fleet.TallyCases)), trendText(total.OnYear(fleet.TallyCases)))
	fact += fmt.Sprintf("；损失金额%s元，环比%s，同比%s。", countText(fleet.TallyLoss, total.Now), trendText(total.OnWeek(fleet.TallyLoss)), trendText(total.OnYear(fleet.TallyLoss)))
	ch.Facts = append(ch.Facts, fact)
	var types []string
	for _, name := range fleet.ScamTypes {
		if n := total.Now.Types[name]; n > 0 {
			types = append(types, fmt.Sprintf("%s%d起", name, n))
		}
	}
	if len(types) > 0 {
		ch.Facts = append(ch.Facts, "按类型："+strings.Join(types, "，")+"。")
	}
	table := w.figuresTable("发案数（起）和损失金额", rows, map[fleet.Tally]string{fleet.TallyCases: "发案数", fleet.TallyLoss: "损失（元）"})
	ch.Tables = append(ch.Tables, table)
	return nil
}

// cards is chapter 二.
func (w *drafting) cards(ctx context.Context, _ *fleet.BulletinContent, ch *fleet.BulletinChapter) error {
	rows, err := w.rows(ctx, ch)
	if err != nil || rows == nil {
		return err
	}
	ch.Tables = append(ch.Tables, w.figuresTable("涉诈“两卡”线索（条）", rows, map[fleet.Tally]string{fleet.TallyClues: "线索"}))
	return nil
}

// persons is chapter 三: numbers only.
func (w *drafting) persons(ctx context.Context, _ *fleet.BulletinContent, ch *fleet.BulletinChapter) error {
	rows, err := w.rows(ctx, ch)
	if err != nil || rows == nil {
		return err
	}
	ch.Tables = append(ch.Tables, w.figuresTable("涉诈重点人（人）", rows, map[fleet.Tally]string{fleet.TallyKey: "重点人", fleet.TallyReduced: "本周核减"}))
	return nil
}

// filed says who filed 问题反馈.
func (w *drafting) filed(ctx context.Context, ch *fleet.BulletinChapter) error {
	week, ok := w.week()
	if !ok {
		return nil
	}
	all, err := w.d.o.Feedback.Week(ctx, week)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		ch.Facts = append(ch.Facts, "本期没有单位需要报送问题反馈。")
		return nil
	}
	n := fleet.FeedbackCounts(all)
	fact := fmt.Sprintf("应报送问题反馈的单位%d个：已报%d个，零报告%d个，逾期%d个，未报%d个", len(all), n[fleet.FeedbackFiled], n[fleet.FeedbackNil], n[fleet.FeedbackLate], n[fleet.FeedbackMissing])
	if n[fleet.FeedbackOpen] > 0 {
		fact += fmt.Sprintf("，未到期%d个", n[fleet.FeedbackOpen])
	}
	ch.Facts = append(ch.Facts, fact+"。")
	var late []string
	items, pending := 0, 0
	for _, s := range all {
		items, pending = items+s.Items, pending+s.Pending
		if s.State == fleet.FeedbackMissing || s.State == fleet.FeedbackLate {
			late = append(late, s.Unit.Name)
		}
	}
	if len(late) > 0 {
		ch.Facts = append(ch.Facts, "逾期和未报："+strings.Join(late, "、")+"。")
	}
	if items > 0 {
		ch.Facts = append(ch.Facts, fmt.Sprintf("反馈问题%d个，待办%d个。", items, pending))
	}
	return nil
}
