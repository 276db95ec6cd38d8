package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gatecast/schedules"
)

// previewView is a preview ready to be written.
type previewView struct {
	compiler   *schedules.Compiler
	calendar   *schedules.Calendar
	programmes []*schedules.Programme
	points     []schedules.Point
	from       schedules.Date
	days       int
	lang       string
	text       *previewText
}

// previewSlot is an element of the JSON output. silenced_by is the code of the
// rule or null; a silenced slot has no plays.
type previewSlot struct {
	Point       string            `json:"point"`
	PointName   string            `json:"point_name"`
	Date        string            `json:"date"`
	DayType     schedules.DayType `json:"day_type"`
	DayAssumed  bool              `json:"day_type_assumed"`
	Holiday     string            `json:"holiday,omitempty"`
	ID          string            `json:"id"`
	Programme   string            `json:"programme"`
	Slot        string            `json:"slot"`
	SlotName    string            `json:"slot_name"`
	Start       string            `json:"start"`
	End         string            `json:"end"`
	Plays       []previewPlay     `json:"plays"`
	GainDB      float64           `json:"gain_db"`
	SilencedBy  *string           `json:"silenced_by"`
	SilenceText string            `json:"silence_text,omitempty"`
}

type previewPlay struct {
	At   string `json:"at"`
	Clip string `json:"clip"`
}

// zone returns the location of the programme with the given id.
func (v *previewView) zone(id string) *time.Location {
	i := slices.IndexFunc(v.programmes, func(p *schedules.Programme) bool { return p.ID == id })
	return zoneOf(v.programmes[i])
}

// writeJSON writes one array with every slot of every point.
func (v *previewView) writeJSON(w io.Writer) error {
	out := []previewSlot{}
	for _, p := range v.points {
		for _, s := range v.compiler.Slots(p, v.from, v.days) {
			out = append(out, v.slotJSON(p, s))
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

func (v *previewView) slotJSON(p schedules.Point, s schedules.Slot) previewSlot {
	loc := v.zone(s.Programme)
	stamp := func(t time.Time) string { return t.In(loc).Format(time.RFC3339) }
	row := previewSlot{
		Point: p.ID, PointName: p.Name,
		Date: s.Date.String(), DayType: s.DayType, DayAssumed: s.Assumed, Holiday: v.calendar.Name(s.Date),
		ID: s.ID, Programme: s.Programme, Slot: s.Key, SlotName: s.Name,
		Start: stamp(s.Start), End: stamp(s.End),
		Plays: []previewPlay{}, GainDB: s.Gain,
	}
	if s.Silenced != nil {
		row.SilencedBy, row.SilenceText = &s.Silenced.Rule, s.Silenced.In(v.lang)
		return row
	}
	for _, play := range s.Plays() {
		row.Plays = append(row.Plays, previewPlay{stamp(play.At), play.Clip})
	}
	return row
}

// writeTable writes one table a point.
func (v *previewView) writeTable(w io.Writer) error {
	var b strings.Builder
	for _, p := range v.programmes {
		line := fmt.Sprintf(v.text.programme, p.Name, p.ID, p.Zone)
		if p.Demo {
			line += " · " + v.text.demo
		}
		b.WriteString(line + "\n")
	}
	for _, p := range v.points {
		b.WriteString("\n" + fmt.Sprintf(v.text.point, p.ID, p.Name, schedules.KindText(p.Kind, v.lang)) + "\n")
		v.pointTable(&b, p)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (v *previewView) pointTable(b *strings.Builder, p schedules.Point) {
	if !slices.ContainsFunc(v.programmes, func(pr *schedules.Programme) bool { return pr.Matches(p) }) {
		b.WriteString("  " + v.text.notTargeted + "\n")
		return
	}
	byDate := make(map[schedules.Date][]schedules.Slot)
	slots := v.compiler.Slots(p, v.from, v.days)
	for _, s := range slots {
		byDate[s.Date] = append(byDate[s.Date], s)
	}
	rows := [][]string{strings.Split(v.text.header, "\t")}
	for n := range v.days {
		d := v.from.AddDays(n)
		first := []string{d.String(), v.text.weekdays[d.Weekday()], v.dayText(d)}
		if len(byDate[d]) == 0 {
			rows = append(rows, append(first, "-", "", "", v.text.nothing))
		}
		for _, s := range byDate[d] {
			rows = append(rows, append(first, v.slotCells(s)...))
			first = []string{"", "", ""}
		}
	}
	for _, line := range align(rows) {
		b.WriteString("  " + line + "\n")
	}
	b.WriteString("  " + v.totals(slots) + "\n")
}

// dayText returns the type of d with the name of the holiday.
func (v *previewView) dayText(d schedules.Date) string {
	t, known := v.calendar.DayType(d)
	s := t.Text(v.lang)
	if name := v.calendar.Name(d); name != "" {
		s += fmt.Sprintf(v.text.in, name)
	}
	if !known {
		s += v.text.assumed
	}
	return s
}

// slotCells returns the cells of s from its name on.
func (v *previewView) slotCells(s schedules.Slot) []string {
	loc := v.zone(s.Programme)
	layout := "15:04"
	if s.Start.Second() != 0 || s.End.Second() != 0 {
		layout = "15:04:05"
	}
	result := fmt.Sprintf(v.text.sounds, s.Count, v.interval(s.Every))
	if s.Silenced != nil {
		result = fmt.Sprintf(v.text.silenced, s.Silenced.In(v.lang))
	}
	return []string{
		s.Name,
		s.Start.In(loc).Format(layout) + "–" + s.End.In(loc).Format(layout),
		strings.Join(shortClips(s.Clips), ", "),
		result,
	}
}

// shortClips shortens hashes to what people compare.
func shortClips(clips []string) []string {
	out := make([]string, len(clips))
	for i, c := range clips {
		if out[i] = c; len(c) == 64 {
			out[i] = c[:12] + "…"
		}
	}
	return out
}

// interval writes a duration in whole hours, minutes and seconds.
func (v *previewView) interval(d time.Duration) string {
	var parts []string
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		if n := d / unit; n > 0 {
			parts = append(parts, fmt.Sprintf(v.text.units[i], n))
			d -= n * unit
		}
	}
	return strings.Join(parts, " ")
}

func (v *previewView) totals(slots []schedules.Slot) string {
	sounding, plays := 0, 0
	for _, s := range slots {
		if s.Silenced == nil {
			sounding++
			plays += s.Count
		}
	}
	return fmt.Sprintf(v.text.total, len(slots), sounding, plays, len(slots)-sounding)
}

// writeNotes writes what the reader should know beside the result.
func (v *previewView) writeNotes(w io.Writer) {
	for _, p := range v.programmes {
		for _, n := range p.Warnings() {
			fmt.Fprintf(w, v.text.warning+"\n", n.At()+n.Text(v.lang))
		}
	}
	for _, n := range v.compiler.Warnings(v.from, v.days) {
		fmt.Fprintf(w, v.text.warning+"\n", n.Text(v.lang))
	}
	for _, c := range v.compiler.Conflicts(v.points, v.from, v.days) {
		fmt.Fprintf(w, v.text.conflict+"\n", c.Text(v.lang))
	}
}
