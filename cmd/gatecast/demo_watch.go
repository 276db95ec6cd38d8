package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// leadTime is how long before its first slot the demo programme is activated:
// plans and clips have to be on the devices and decoded by then.
const leadTime = 10 * time.Second

// activate puts the demo programme in force.
func (d *demo) activate(ctx context.Context) error {
	now := time.Now()
	first := now.Add(leadTime).Truncate(time.Second)
	yaml := demoProgramme(first, machineZone(), livePoints)
	prog, problems, err := d.office.Planner.Upload(ctx, "demo.yaml", []byte(yaml), "demo", now)
	if err != nil {
		return err
	}
	if prog.ID == 0 {
		return fmt.Errorf("the demo programme was refused: %+v", problems)
	}
	if _, err := d.office.Planner.Activate(ctx, prog.ID, now); err != nil {
		return err
	}
	d.say("演示计划已启用（不受静默规则限制）：第一段 %s 开始，之后每两分钟一段。Ctrl-C 结束。",
		"demo programme in force (exempt from quiet rules): first slot at %s, then every two minutes. Ctrl-C ends it.",
		first.Local().Format("15:04:05"))
	return nil
}

// result is one live point's first slot, as --json prints it.
type result struct {
	Point   string        `json:"point"`
	Name    string        `json:"name"`
	Slot    wire.SlotID   `json:"slot"`
	Planned string        `json:"planned"` // RFC 3339 with milliseconds
	Started string        `json:"started,omitempty"`
	Clip    string        `json:"clip,omitempty"` // SHA-256 of the delivered bytes
	Frames  int64         `json:"frames"`         // that the sink consumed, of the clip
	Verdict fleet.Verdict `json:"verdict"`
	Grade   fleet.Grade   `json:"grade,omitempty"`
	Reason  wire.Reason   `json:"reason,omitempty"`
	Sink    string        `json:"sink,omitempty"`
	Device  string        `json:"device,omitempty"`
	Demo    bool          `json:"demo"`          // played into a file, not a loudspeaker
	WAV     string        `json:"wav,omitempty"` // path of the file written
}

// watch prints each verdict as it is settled, until ctx ends or, with --once,
// until the first slot of every live point has settled.
func (d *demo) watch(ctx context.Context, begun time.Time) error {
	first := map[fleet.PointID]result{}
	for {
		var o fleet.Obligation
		select {
		case <-ctx.Done():
			if d.once && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return d.missing(ctx, errors.New(d.lacking(first)))
			}
			d.say("正在停止……", "stopping…")
			return nil
		case o = <-d.settled:
		}
		l := d.liveAt(o.Point)
		if l == nil || o.Start.Before(begun) {
			continue // late news of an earlier run
		}
		r, err := d.result(ctx, l, o)
		if err != nil {
			return err
		}
		d.report(r)
		if _, seen := first[o.Point]; !seen && o.Verdict == fleet.Played {
			first[o.Point] = r
		}
		if d.once && len(first) == len(d.live) {
			return d.finish(first)
		}
	}
}

func (d *demo) liveAt(id fleet.PointID) *livePoint {
	for _, l := range d.live {
		if l.point.ID == id {
			return l
		}
	}
	return nil
}

// lacking names the points whose first slot has not been played.
func (d *demo) lacking(first map[fleet.PointID]result) string {
	var names []string
	for _, l := range d.live {
		if _, ok := first[l.point.ID]; !ok {
			names = append(names, l.point.Code+" "+l.point.Name)
		}
	}
	return strings.Join(names, ", ") + d.t(" 还没有“已播”的段", " has no slot that was played")
}

// result gathers the evidence of o.
func (d *demo) result(ctx context.Context, l *livePoint, o fleet.Obligation) (result, error) {
	const ms = "2006-01-02T15:04:05.000Z07:00"
	r := result{
		Point: l.point.Code, Name: l.point.Name, Slot: o.Slot, Planned: o.Start.Local().Format(ms),
		Verdict: o.Verdict, Grade: o.Grade, Reason: o.Reason, Demo: o.Demo,
	}
	records, err := d.office.Store.RecordsOfSlot(ctx, o.Point, o.Slot)
	if err != nil {
		return r, err
	}
	for _, rec := range records {
		if rec.Kind != wire.RecordOutcome {
			continue
		}
		out, err := rec.Outcome()
		if err != nil {
			return r, err
		}
		r.Clip, r.Frames, r.Sink, r.Device, r.WAV = out.Clip, out.FramesPlayed, out.Sink, out.Device, out.Path
		r.Demo = r.Demo || out.Demo
		if out.StartedUS != 0 {
			r.Started = wire.FromUS(out.StartedUS).Local().Format(ms)
		}
	}
	return r, nil
}

// verdictWords are the words of the pages.
var verdictWords = map[fleet.Verdict][2]string{
	fleet.Played: {"已播", "played"}, fleet.Partial: {"部分播", "partly played"}, fleet.Missed: {"未播", "missed"},
	fleet.Doubt: {"存疑", "doubtful"}, fleet.Exempt: {"免播", "exempt"}, fleet.Pending: {"待报", "report pending"},
}

// report prints one line about r.
func (d *demo) report(r result) {
	word := d.t(verdictWords[r.Verdict][0], verdictWords[r.Verdict][1])
	if r.Grade != "" {
		word += " " + string(r.Grade)
	}
	if r.Reason != "" {
		word += " " + string(r.Reason)
	}
	if r.Sink == "file" {
		word += d.t("（演示）", " (demo)")
	}
	where := r.WAV
	if where == "" {
		where = r.Device
	}
	started := r.Started
	if t, err := time.Parse(time.RFC3339, started); err == nil {
		started = t.Format("15:04:05.000")
	}
	d.say("%s　%s　%s　%s　%s", "%s  %s  %s  %s  %s", started, r.Point, r.Name, word, where)
}

// finish prints what --once found.
func (d *demo) finish(first map[fleet.PointID]result) error {
	if !d.json {
		d.say("每个点的第一段都已播。", "the first slot of every live point was played.")
		return nil
	}
	var out struct {
		Points []result `json:"points"`
	}
	for _, l := range d.live {
		out.Points = append(out.Points, first[l.point.ID])
	}
	enc := json.NewEncoder(d.std.out)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}
