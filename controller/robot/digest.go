package robot

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// Digests.
const (
	// DigestEvery is the least time between two digests to a chat.
	DigestEvery = 10 * time.Minute
	// gather is how long the first thing to tell of waits for others: a slot
	// ends at every gate within a minute.
	gather = time.Minute
	// named is how many things of a kind are named one by one.
	named = 8
)

// digest is what of some occurrences is worth telling in a chat.
type digest struct {
	missed  map[string]fleet.Occurrence // by point and slot: the last word counts
	order   []string                    // of missed
	offline map[string]fleet.Occurrence // by device: who came back is not told
	gone    []string                    // order of offline
	others  map[fleet.Feed][]fleet.Occurrence
	oldest  time.Time
}

// collect picks what r is told from all, which are in order.
func collect(r fleet.Robot, all []fleet.Occurrence) digest {
	d := digest{missed: map[string]fleet.Occurrence{}, offline: map[string]fleet.Occurrence{}, others: map[fleet.Feed][]fleet.Occurrence{}}
	for _, o := range all {
		switch o.Kind {
		case fleet.OccurredVerdict:
			key := fmt.Sprint(o.Point, " ", o.Value("slot"))
			switch fleet.Verdict(o.Value("verdict")) {
			case fleet.Missed, fleet.Partial, fleet.Doubt:
				if _, ok := d.missed[key]; !ok {
					d.order = append(d.order, key)
				}
				d.missed[key] = o
			default:
				delete(d.missed, key)
			}
		case fleet.OccurredOffline:
			if _, ok := d.offline[o.Value("device")]; !ok {
				d.gone = append(d.gone, o.Value("device"))
			}
			d.offline[o.Value("device")] = o
		case fleet.OccurredOnline:
			delete(d.offline, o.Value("device"))
		case fleet.OccurredAlertClosed: // what closed in the meantime is not told
			d.others[fleet.FeedAlert] = slices.DeleteFunc(d.others[fleet.FeedAlert], func(told fleet.Occurrence) bool { return told.Value("alert") == o.Value("alert") })
		default:
			for _, f := range r.Feeds {
				if slices.Contains(f.Kinds(), o.Kind) {
					d.others[f] = append(d.others[f], o)
				}
			}
		}
	}
	for _, o := range d.missed {
		d.since(o.At)
	}
	for _, o := range d.offline {
		d.since(o.At)
	}
	for _, list := range d.others {
		if len(list) > 0 {
			d.since(list[0].At)
		}
	}
	return d
}

func (d *digest) since(at time.Time) {
	if d.oldest.IsZero() || at.Before(d.oldest) {
		d.oldest = at
	}
}

func (d *digest) empty() bool { return d.oldest.IsZero() }

// say returns title and text of a digest that is not empty.
func (d *digest) say(o Options, r fleet.Robot, now time.Time) (title, text string) {
	var b strings.Builder
	for _, f := range fleet.Feeds {
		if !r.Reads(f) {
			continue
		}
		lines := d.lines(o, f)
		if len(lines) == 0 {
			continue
		}
		b.WriteString(o.Say("robot.digest."+string(f), len(lines)) + "\n")
		for i, line := range lines {
			if i == named && len(lines) > named+1 {
				b.WriteString(o.Say("robot.digest.more", len(lines)-i) + "\n")
				break
			}
			b.WriteString("· " + line + "\n")
		}
	}
	b.WriteString(o.Say("robot.digest.end"))
	return o.Say("robot.digest.title", o.Office, now.In(o.Zone).Format("01-02 15:04")), b.String()
}

// lines returns one line for each thing of a feed.
func (d *digest) lines(o Options, f fleet.Feed) (lines []string) {
	switch f {
	case fleet.FeedMissed:
		for _, key := range d.order {
			v, ok := d.missed[key]
			if !ok {
				continue
			}
			what := o.Say("verdict." + v.Value("verdict"))
			if reason := v.Value("reason"); reason != "" {
				what = o.Say("robot.digest.because", what, o.Say("reason."+reason))
			}
			lines = append(lines, o.Say("robot.digest.slot", v.Object, v.Value("name"), v.Value("day"), what))
		}
	case fleet.FeedOffline:
		for _, id := range d.gone {
			if v, ok := d.offline[id]; ok {
				lines = append(lines, o.Say("robot.digest.since", v.Object, v.At.In(o.Zone).Format("15:04")))
			}
		}
	case fleet.FeedIncident:
		for _, v := range d.others[f] {
			key := "incident." + v.Value("code")
			what := o.Say(key)
			if what == key { // of a later version of the agent
				what = o.Say("incident.other")
			}
			lines = append(lines, strings.TrimSpace(v.Object+" "+what))
		}
	case fleet.FeedAlert:
		for _, v := range d.others[f] {
			switch v.Kind {
			case fleet.OccurredAlertCall:
				lines = append(lines, o.Say("robot.digest.alert.call", v.Object, v.Value("run")))
			case fleet.OccurredAlertsOpen:
				lines = append(lines, o.Say("robot.digest.alert.open", v.Value("open"), v.Value("new"), v.Object))
			default:
				lines = append(lines, o.Say("robot.digest.alert.raised", v.Object, o.Say("trouble."+v.Value("trouble")), o.Say("likely."+v.Value("likely"))))
			}
		}
	case fleet.FeedRelay:
		for _, v := range d.others[f] {
			lines = append(lines, o.Say("robot.digest.tasks", v.Object, v.Value("tasks")))
		}
	case fleet.FeedFeedback:
		for _, v := range d.others[f] {
			lines = append(lines, o.Say("robot.digest.feedback.missing", v.Object, v.Value("missing"), v.Value("due")))
		}
	default:
		for _, v := range d.others[f] {
			lines = append(lines, v.Object)
		}
	}
	return lines
}
