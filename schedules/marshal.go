package schedules

import (
	"bytes"
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"
)

// The file* types are Programme as YAML wants it written: keys in the order in
// which people read them, times and durations as text.
type fileProgramme struct {
	ID       string       `yaml:"id"`
	Name     string       `yaml:"name"`
	Zone     string       `yaml:"zone"`
	From     string       `yaml:"from,omitempty"`
	To       string       `yaml:"to,omitempty"`
	Demo     bool         `yaml:"demo,omitempty"`
	Budget   string       `yaml:"daily_budget,omitempty"`
	Targets  *fileTargets `yaml:"targets,omitempty"`
	Quiet    *fileQuiet   `yaml:"quiet,omitempty"`
	Slots    []fileSlot   `yaml:"slots,omitempty"`
	Examples []filePoint  `yaml:"example_points,omitempty"`
}

type fileSelection struct {
	Units  []string `yaml:"units,omitempty,flow"`
	Groups []string `yaml:"groups,omitempty,flow"`
	Tags   []string `yaml:"tags,omitempty,flow"`
	Kinds  []string `yaml:"kinds,omitempty,flow"`
	Points []string `yaml:"points,omitempty,flow"`
}

type fileTargets struct {
	All           bool `yaml:"all,omitempty"`
	fileSelection `yaml:",inline"`
	Except        *fileSelection `yaml:"except,omitempty"`
}

type fileQuiet struct {
	Midday *fileMidday `yaml:"midday,omitempty"`
	Dated  []fileRule  `yaml:"dated,omitempty"`
}

type fileMidday struct {
	Until  string   `yaml:"until,omitempty"`
	OffFor []string `yaml:"off_for,omitempty,flow"`
	Reason string   `yaml:"reason,omitempty"`
}

type fileRule struct {
	ID       string       `yaml:"id"`
	Name     string       `yaml:"name"`
	From     string       `yaml:"from"`
	To       string       `yaml:"to"`
	AllDay   bool         `yaml:"all_day,omitempty"`
	Times    []string     `yaml:"times,omitempty,flow"`
	GainDB   float64      `yaml:"gain_db,omitempty"`
	Document string       `yaml:"document"`
	Targets  *fileTargets `yaml:"targets,omitempty"`
}

type fileSlot struct {
	Key         string       `yaml:"key"`
	Name        string       `yaml:"name"`
	Days        []DayType    `yaml:"days,omitempty,flow"`
	Targets     *fileTargets `yaml:"targets,omitempty"`
	filePattern `yaml:",inline"`
	Overrides   []fileOverride `yaml:"overrides,omitempty"`
}

type fileOverride struct {
	Days        []DayType `yaml:"days,flow"`
	filePattern `yaml:",inline"`
}

type filePattern struct {
	Start    string   `yaml:"start,omitempty"`
	Until    string   `yaml:"until,omitempty"`
	Duration string   `yaml:"duration,omitempty"`
	Every    string   `yaml:"every,omitempty"`
	MaxPlays int      `yaml:"max_plays,omitempty"`
	Playlist []string `yaml:"playlist,omitempty,flow"`
	GainDB   *float64 `yaml:"gain_db,omitempty"`
	Grace    string   `yaml:"grace,omitempty"`
	Reason   string   `yaml:"reason,omitempty"`
}

type filePoint struct {
	ID     string   `yaml:"id"`
	Name   string   `yaml:"name"`
	Kind   string   `yaml:"kind"`
	Units  []string `yaml:"units,omitempty,flow"`
	Groups []string `yaml:"groups,omitempty,flow"`
	Tags   []string `yaml:"tags,omitempty,flow"`
}

// Marshal writes p as YAML that Parse reads back as an equal programme. Comments
// of a file that p was parsed from are not kept.
func Marshal(p *Programme) ([]byte, error) {
	out := fileProgramme{
		ID: p.ID, Name: p.Name, Zone: p.Zone, From: dateOrNothing(p.From), To: dateOrNothing(p.To),
		Demo: p.Demo, Budget: durationOrNothing(p.DailyBudget), Targets: toFileTargets(&p.Targets),
	}
	if q := p.Quiet; q.Midday.Until != 0 || q.Midday.OffFor != nil || q.Midday.Reason != "" || q.Dated != nil {
		out.Quiet = toFileQuiet(q)
	}
	for _, s := range p.Slots {
		f := fileSlot{Key: s.Key, Name: s.Name, Days: s.Days, Targets: toFileTargets(s.Targets), filePattern: toFilePattern(s.Pattern)}
		for _, o := range s.Overrides {
			f.Overrides = append(f.Overrides, fileOverride{o.Days, toFilePattern(o.Pattern)})
		}
		out.Slots = append(out.Slots, f)
	}
	for _, pt := range p.Examples {
		out.Examples = append(out.Examples, filePoint(pt))
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(out); err != nil {
		return nil, fmt.Errorf("writing programme %q: %w", p.ID, err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("writing programme %q: %w", p.ID, err)
	}
	return b.Bytes(), nil
}

func dateOrNothing(d Date) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}

func durationOrNothing(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return durationText(d)
}

func timeOrNothing(t TimeOfDay) string {
	if t == 0 {
		return ""
	}
	return t.String()
}

func toFileTargets(t *Targets) *fileTargets {
	if t == nil || !t.All && !t.narrows() && len(t.Points) == 0 {
		return nil
	}
	f := &fileTargets{All: t.All, fileSelection: fileSelection(t.Selection)}
	if e := t.Except; e.narrows() || len(e.Points) > 0 {
		s := fileSelection(e)
		f.Except = &s
	}
	return f
}

func toFileQuiet(q Quiet) *fileQuiet {
	f := new(fileQuiet)
	if m := q.Midday; m.Until != 0 || m.OffFor != nil || m.Reason != "" {
		f.Midday = &fileMidday{timeOrNothing(m.Until), m.OffFor, m.Reason}
	}
	for _, r := range q.Dated {
		var times []string
		for _, t := range r.Times {
			times = append(times, t.From.String()+"-"+t.To.String())
		}
		f.Dated = append(f.Dated, fileRule{r.ID, r.Name, dateOrNothing(r.From), dateOrNothing(r.To), r.AllDay, times, r.GainDB, r.Document, toFileTargets(r.Targets)})
	}
	return f
}

func toFilePattern(p Pattern) filePattern {
	f := filePattern{
		Start: p.Start, Until: timeOrNothing(p.Until), Duration: durationOrNothing(p.Duration), Every: durationOrNothing(p.Every),
		MaxPlays: p.MaxPlays, Playlist: p.Playlist, GainDB: p.GainDB, Reason: p.Reason,
	}
	if p.Grace != nil {
		f.Grace = durationText(*p.Grace)
	}
	return f
}
