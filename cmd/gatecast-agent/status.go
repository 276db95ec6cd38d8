package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"gatecast/agent"
	"gatecast/audio/output"
	"gatecast/internal/wire"
)

// status prints what the data folder tells.
func (p *program) status() error {
	s, err := agent.Inspect(p.cfg.DataDir)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(s)
	}
	writeStatus(p.out, s)
	return nil
}

func (p *program) printJSON(v any) error {
	e := json.NewEncoder(p.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func writeStatus(out io.Writer, s agent.Status) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(zh, en, format string, args ...any) {
		fmt.Fprintf(w, "%s · %s\t%s\n", zh, en, fmt.Sprintf(format, args...))
	}
	running := "未运行 · not running"
	if s.Running > 0 {
		running = fmt.Sprintf("运行中 · running (pid %d)", s.Running)
	}
	line("程序", "program", "%s", running)
	line("数据目录", "data", "%s", s.DataDir)
	if !s.Enrolled {
		line("入网", "enrolled", "否：请在后台点位页面复制入网命令 · no: copy the join line from the office")
	} else {
		line("点位", "point", "%s %s", s.Point, s.PointName)
		line("设备", "device", "%s", s.Device)
		line("控制中心", "controller", "%s, MQTT %s", s.Controller, s.Broker)
		line("证书到期", "certificate until", "%s", local(s.CertUntil))
	}
	line("时间", "time", "%s，%s", local(&s.Time), levelText(s))
	if s.PlanVersion == 0 {
		line("播放计划", "plan", "无 · none")
	} else {
		line("播放计划", "plan", "版本 %d，排到 · version %d, until %s", s.PlanVersion, s.PlanVersion, local(s.PlanHorizon))
		line("下一次", "next play", "%s", local(s.NextPlay))
		line("素材", "clips", "就绪 %d，缺 %d · %d ready, %d missing %s", s.ClipsReady, len(s.ClipsMissing), s.ClipsReady, len(s.ClipsMissing), strings.Join(s.ClipsMissing, "、"))
	}
	line("记录", "records", "%d，已确认 · acked %d（%d KB）", s.Last, s.Acked, s.Bytes/1024)
	w.Flush()
	if len(s.Plays) > 0 {
		fmt.Fprintln(out, "\n最近播放 · last plays")
		for _, y := range s.Plays {
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", local(&y.Planned), y.Result, y.Reason, y.Play)
		}
		w.Flush()
	}
	for _, problem := range s.Problems {
		fmt.Fprintf(out, "\n读不出来 · cannot be read: %s\n", problem)
	}
}

func local(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "–"
	}
	return t.Local().Format("2006-01-02 15:04:05 -0700")
}

func levelText(s agent.Status) string {
	switch s.TimeLevel {
	case wire.T0:
		return "未校准 · T0, not trusted"
	case wire.T1:
		return fmt.Sprintf("T1 ±%d ms", s.TimeErrMS)
	}
	return fmt.Sprintf("T2 ±%d ms", s.TimeErrMS)
}

// card is an output in JSON.
type card struct {
	Sink   string `json:"sink"`
	Device string `json:"device"`
	Name   string `json:"name"`
	Works  bool   `json:"works"`
	Why    string `json:"why,omitempty"`
}

// cards lists what this machine could play to, without a sound.
func (p *program) cards(ctx context.Context) error {
	all := []card{}
	for _, c := range output.Probe(ctx, output.Options{Server: p.cfg.Output.Server}, output.ALSA, output.APlay, output.Pulse) {
		one := card{Sink: c.Kind, Device: c.Device, Name: c.Name, Works: c.Works()}
		if c.Err != nil {
			one.Why = c.Err.Error()
			if zh := output.TextOf(c.Err, "zh"); zh != "" {
				one.Why = zh + " " + output.TextOf(c.Err, "en")
			}
		}
		all = append(all, one)
	}
	if p.json {
		return p.printJSON(all)
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "output.sink\toutput.device\t名称 · name\t可用 · works")
	for _, c := range all {
		works := "是 · yes"
		if !c.Works {
			works = "否 · no: " + c.Why
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Sink, c.Device, c.Name, works)
	}
	return w.Flush()
}
