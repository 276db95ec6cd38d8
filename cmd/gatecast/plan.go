package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"gatecast/schedules"
	"gatecast/schedules/presets"
)

// maxPreviewDays bounds a preview to a little over a year.
const maxPreviewDays = 400

// runPlan runs "gatecast plan".
func runPlan(ctx context.Context, std streams, args []string) int {
	return dispatch(ctx, std, "gatecast plan", []command{
		{"preview", "逐日列出出声与免播 · day by day, with the rule that silences", runPlanPreview},
	}, args)
}

// previewOptions are the arguments of "gatecast plan preview".
type previewOptions struct {
	files    []string
	point    string
	from     string
	days     int
	json     bool
	lang     string
	holidays string
}

// runPlanPreview prints what the named programmes would sound.
func runPlanPreview(_ context.Context, std streams, args []string) int {
	var o previewOptions
	flags := newFlags(std, "gatecast plan preview FILE... [--point P] [--from 2026-12-01] [--days N] [--json] [--lang zh|en]",
		"FILE 为方案 YAML，default 为内置方案 · FILE is a programme; default is the built-in one", "")
	flags.StringVar(&o.point, "point", "", "只看这个点位（文件 example_points 里的编号） · show only this `point` of the file's example_points")
	flags.StringVar(&o.from, "from", "", "第一天，不写为今天 · first `day`; today if left out")
	flags.IntVar(&o.days, "days", 7, "共几天 · number of days")
	flags.BoolVar(&o.json, "json", false, "输出 JSON · print JSON")
	flags.StringVar(&o.lang, "lang", "zh", "语言 zh 或 en · `language`, zh or en")
	flags.StringVar(&o.holidays, "holidays", "", "另加一年放假安排（holiday-cn 格式的 JSON） · add a year of holidays from this holiday-cn JSON `file`")
	files, status, done := parseFlags(flags, args)
	if done {
		return status
	}
	o.files = files
	return o.preview(std, flags)
}

// fail prints one sentence and returns status.
func fail(std streams, status int, format string, args ...any) int {
	fmt.Fprintf(std.err, format+"\n", args...)
	return status
}

func (o *previewOptions) preview(std streams, flags *flag.FlagSet) int {
	if o.lang != "zh" && o.lang != "en" {
		return fail(std, exitUsage, "--lang %q：只有 zh 和 en · --lang is zh or en", o.lang)
	}
	t := previewTexts(o.lang)
	if len(o.files) == 0 {
		fmt.Fprintln(std.err, t.noFile)
		flags.Usage()
		return exitUsage
	}
	if o.days < 1 || o.days > maxPreviewDays {
		return fail(std, exitUsage, t.badDays, o.days, maxPreviewDays)
	}
	programmes, err := o.load()
	if err != nil {
		return fail(std, exitBad, "%s", t.fileError(err))
	}
	cal := schedules.DefaultCalendar()
	if o.holidays != "" {
		data, err := os.ReadFile(o.holidays)
		if err == nil {
			err = cal.Import(data)
		}
		if err != nil {
			return fail(std, exitBad, t.badHolidays, o.holidays, t.fileError(err))
		}
	}
	compiler, err := schedules.NewCompiler(programmes, cal)
	if err != nil {
		return fail(std, exitBad, "%s", t.fileError(err))
	}
	from, err := o.firstDay(programmes[0])
	if err != nil {
		return fail(std, exitUsage, t.badFrom, o.from)
	}
	points, ids := examplePoints(programmes)
	if o.point != "" {
		points = slices.DeleteFunc(points, func(p schedules.Point) bool { return p.ID != o.point })
		if len(points) == 0 {
			return fail(std, exitUsage, t.noSuchPoint, o.point, strings.Join(ids, ", "))
		}
	}
	if len(points) == 0 {
		return fail(std, exitBad, t.noPoints, strings.Join(o.files, ", "))
	}
	v := &previewView{
		compiler: compiler, calendar: cal, programmes: programmes, points: points,
		from: from, days: o.days, lang: o.lang, text: t,
	}
	if o.json {
		err = v.writeJSON(std.out)
	} else {
		err = v.writeTable(std.out)
	}
	if err != nil {
		return fail(std, exitBad, t.noOutput, err)
	}
	v.writeNotes(std.err)
	return exitOK
}

// load reads every file. Errors of all files are reported together.
func (o *previewOptions) load() ([]*schedules.Programme, error) {
	var programmes []*schedules.Programme
	var errs []error
	for _, name := range o.files {
		data, err := presets.Default(), error(nil)
		if name != presets.DefaultName {
			data, err = os.ReadFile(name)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p, err := schedules.Parse(name, data)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		programmes = append(programmes, p)
	}
	return programmes, errors.Join(errs...)
}

// firstDay returns the day that --from names, today where p is without it.
func (o *previewOptions) firstDay(p *schedules.Programme) (schedules.Date, error) {
	if o.from != "" {
		return schedules.ParseDate(o.from)
	}
	return schedules.DateOf(time.Now(), zoneOf(p)), nil
}

// zoneOf returns p's zone. Parse has loaded it before, so it exists.
func zoneOf(p *schedules.Programme) *time.Location {
	loc, err := time.LoadLocation(p.Zone)
	if err != nil {
		return time.UTC
	}
	return loc
}

// examplePoints returns the points that the programmes name, each once, and
// their ids.
func examplePoints(programmes []*schedules.Programme) (points []schedules.Point, ids []string) {
	for _, p := range programmes {
		for _, pt := range p.Examples {
			if !slices.Contains(ids, pt.ID) {
				points, ids = append(points, pt), append(ids, pt.ID)
			}
		}
	}
	return points, ids
}

// fileError returns err in the user's language where it has such a text.
func (t *previewText) fileError(err error) string {
	var joined interface{ Unwrap() []error }
	var broken schedules.Errors
	var path *fs.PathError
	switch {
	case errors.As(err, &broken) && !isJoin(err):
		return broken.Text(t.lang)
	case isJoin(err) && errors.As(err, &joined):
		var lines []string
		for _, e := range joined.Unwrap() {
			lines = append(lines, t.fileError(e))
		}
		return strings.Join(lines, "\n")
	case errors.Is(err, fs.ErrNotExist) && errors.As(err, &path):
		return fmt.Sprintf(t.missingFile, path.Path)
	case errors.As(err, &path):
		return fmt.Sprintf(t.unreadableFile, path.Path, path.Err)
	}
	return err.Error()
}

// isJoin reports whether err joins the errors of several files.
func isJoin(err error) bool {
	_, list := err.(schedules.Errors)
	_, many := err.(interface{ Unwrap() []error })
	return many && !list
}
