package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gatecast/controller/client"
)

// officeFlags are the flags of one call, its own below the common ones.
type officeFlags struct {
	*flag.FlagSet
	o    officeOptions
	args []string

	tag, from, to, point, state, source string
	urgent                              bool
}

// officePage is how many rows are asked for at a time, the most that there may be.
const officePage = 1000

// taskLimit is how many relay tasks the controller lists at most.
const taskLimit = 500

// officeStatus exits with 1 while the controller has trouble, for cron and the like.
var officeStatus = &officeCall{usage: "status", do: func(ctx context.Context, a *office, _ *officeFlags) (int, error) {
	health, err := a.Health(ctx)
	if err != nil {
		return exitBad, err
	}
	today, err := a.Compliance(ctx, client.Period{})
	if err != nil {
		return exitBad, err
	}
	status, err := a.print(map[string]any{"health": health, "today": today}, a.statusHead(), a.statusRows(health, today), "")
	if err == nil && health.Status != "ok" {
		status = exitBad
	}
	return status, err
}}

var officePoints = &officeCall{
	usage: "points [-tag TAG]",
	flags: func(f *officeFlags) {
		f.StringVar(&f.tag, "tag", "", "只列有这个标签的点位 · only points with this tag")
	},
	do: func(ctx context.Context, a *office, f *officeFlags) (int, error) {
		all, err := a.allPoints(ctx, f.tag)
		if err != nil {
			return exitBad, err
		}
		return a.print(map[string]any{"points": all}, a.pointHead(), a.pointRows(all), a.pick("没有点位。", "There is no point."))
	},
}

var officeMissed = &officeCall{
	usage: "missed [-from DAY] [-to DAY] [-point CODE]",
	flags: func(f *officeFlags) {
		f.StringVar(&f.from, "from", "", "第一天，如 2026-11-16，默认今天 · first `day`, today by default")
		f.StringVar(&f.to, "to", "", "最后一天，默认今天 · last `day`, today by default")
		f.StringVar(&f.point, "point", "", "只看一个点位 · `code` of one point")
	},
	do: func(ctx context.Context, a *office, f *officeFlags) (int, error) {
		all := client.Obligations{Obligations: []client.Obligation{}}
		for offset := 0; ; {
			page, err := a.Obligations(ctx, client.Period{From: f.from, To: f.to}, f.point, "missed", client.Page{Limit: officePage, Offset: offset})
			if err != nil {
				return exitBad, err
			}
			all.From, all.To, all.Obligations = page.From, page.To, append(all.Obligations, page.Obligations...)
			if page.Next == nil {
				break
			}
			offset = *page.Next
		}
		name := map[string]string{}
		if !a.o.json && len(all.Obligations) > 0 {
			points, err := a.allPoints(ctx, "")
			if err != nil {
				return exitBad, err
			}
			for _, p := range points {
				name[p.Code] = p.Name
			}
		}
		none := fmt.Sprintf(a.pick("%s 至 %s 没有未播。", "Nothing was missed from %s to %s."), all.From, all.To)
		return a.print(all, a.missedHead(), a.missedRows(all.Obligations, name), none)
	},
}

var officeClips = &officeCall{
	usage: "clips [-state STATE]",
	flags: func(f *officeFlags) {
		f.StringVar(&f.state, "state", "", "只列这个状态：draft、submitted、approved、ahead、expired、recalled、returned · only clips in this `state`")
	},
	do: func(ctx context.Context, a *office, f *officeFlags) (int, error) {
		all, err := a.Clips(ctx, f.state)
		if err != nil {
			return exitBad, err
		}
		return a.print(map[string]any{"clips": all}, a.clipHead(), a.clipRows(all), a.pick("没有这样的素材。", "There is no such clip."))
	},
}

var officeGroups = &officeCall{usage: "groups", do: func(ctx context.Context, a *office, _ *officeFlags) (int, error) {
	all, err := a.Groups(ctx)
	if err != nil {
		return exitBad, err
	}
	return a.print(map[string]any{"groups": all}, a.groupHead(), a.groupRows(all), a.pick("还没有登记群。", "There is no group yet."))
}}

var officeRelay = &officeCall{
	usage: "relay [add TEXT|-] [-source SOURCE] [-urgent]",
	flags: func(f *officeFlags) {
		f.StringVar(&f.source, "source", "", "add：来源 · add: where the text is from")
		f.BoolVar(&f.urgent, "urgent", false, "add：紧急 · add: urgent")
	},
	rest: func(args []string) bool { return len(args) == 0 || len(args) == 2 && args[0] == "add" },
	do: func(ctx context.Context, a *office, f *officeFlags) (int, error) {
		if len(f.args) == 2 {
			return a.addRelay(ctx, f.args[1], f.source, f.urgent)
		}
		tasks, err := a.RelayTasks(ctx, 0, true)
		if err != nil {
			return exitBad, err
		}
		text := map[int64]string{}
		if !a.o.json && len(tasks) > 0 {
			items, err := a.RelayItems(ctx, "", client.Page{Limit: officePage})
			if err != nil {
				return exitBad, err
			}
			for _, i := range items {
				text[i.ID] = i.Text
			}
		}
		if len(tasks) == taskLimit {
			fmt.Fprintf(a.std.err, a.pick("只列出前 %d 项，其余请看“转发”页。\n", "These are the first %d, see the page of the relay for more.\n"), taskLimit)
		}
		return a.print(map[string]any{"tasks": tasks}, a.taskHead(), a.taskRows(tasks, text), a.pick("没有未完成的转发。", "No relay task is open."))
	},
}

// addRelay starts text, or what standard input holds for "-", on its way.
func (a *office) addRelay(ctx context.Context, text, source string, urgent bool) (int, error) {
	if text == "-" {
		data, err := io.ReadAll(io.LimitReader(a.std.in, 1<<16)) // far more than the controller takes
		if err != nil {
			return exitBad, fmt.Errorf("reading the text: %w", err)
		}
		text = strings.TrimSpace(string(data))
	}
	id, err := a.AddRelayItem(ctx, text, source, urgent)
	if err != nil {
		return exitBad, err
	}
	head := []string{a.pick("已发起转发，编号", "started relay item")}
	return a.print(map[string]any{"id": id}, head, [][]string{{strconv.FormatInt(id, 10)}}, "")
}
