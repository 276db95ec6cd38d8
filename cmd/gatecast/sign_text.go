package main

import (
	"context"
	"fmt"
	"time"

	"gatecast/internal/signing"
	"gatecast/internal/wire"
)

// head says what is about to be reviewed.
func (s *signer) head(b *signing.Bundle, from string) {
	m := b.Request.Manifest
	fmt.Fprintf(s.std.out, "待签清单 · manifest to sign\n  单位 office     %s\n  导出 exported   %s\n  版本 version    %d\n  素材 clips      %d\n  对照 against    %s\n\n",
		b.Request.Office, instant(b.Request.MadeUS), m.Version, len(m.Clips), from)
}

// clip prints a new clip with what was measured here, and plays it.
func (s *signer) clip(ctx context.Context, c signing.Clip) {
	w := s.std.out
	mark := "+ 新 new"
	if c.Was != nil {
		mark = "~ 改 changed"
	}
	fmt.Fprintf(w, "%s  %s  (%s)\n", mark, c.Title, c.Word.Name)
	fmt.Fprintf(w, "    SHA-256   %s\n", c.SHA256)
	if c.PCM != nil {
		fmt.Fprintf(w, "    实测 measured  %.1f s，%.1f LUFS，峰值 peak %.1f dBTP；播出 sounds at %.1f LUFS（增益 gain %+.1f dB）\n",
			c.Length.Seconds(), c.LUFS, c.Peak, c.Sounds, c.GainDB)
	}
	if c.FromUS != 0 || c.UntilUS != 0 {
		fmt.Fprintf(w, "    有效 valid     %s – %s\n", instant(c.FromUS), instant(c.UntilUS))
	}
	if c.Was != nil {
		for _, d := range changes(*c.Was, c.ManifestClip) {
			fmt.Fprintf(w, "    ! %s\n", d)
		}
	}
	if c.Word.Submitter != "" || c.Word.Signer != "" {
		fmt.Fprintf(w, "    送审 submitted %s，签发 approved %s\n", c.Word.Submitter, c.Word.Signer)
	}
	fmt.Fprintf(w, "    文本 text      %s\n", c.Word.Text)
	if c.Fault != "" {
		fmt.Fprintf(w, "    ✗ %s\n", c.Fault)
		return
	}
	if s.o.play {
		fmt.Fprintf(w, "    ▶ 播放中 playing\n")
		if err := s.hear(ctx, c); err != nil {
			fmt.Fprintf(w, "    ✗ 播放失败 not played: %v\n", err)
		}
	}
}

// changes says what of a clip is not as it was signed.
func changes(was, now wire.ManifestClip) []string {
	var all []string
	add := func(what string, a, b any) {
		if a != b {
			all = append(all, fmt.Sprintf("%s：%v → %v", what, a, b))
		}
	}
	add("标题 title", was.Title, now.Title)
	add("增益 gain dB", was.GainDB, now.GainDB)
	add("生效 from", instant(was.FromUS), instant(now.FromUS))
	add("失效 until", instant(was.UntilUS), instant(now.UntilUS))
	add("静音 silent", was.Silent, now.Silent)
	return all
}

// rest prints what is not a clip to hear.
func (s *signer) rest(r signing.Review) {
	w := s.std.out
	for _, c := range r.Gone {
		fmt.Fprintf(w, "- 不再允许 no longer allowed  %s\n", c.Title)
	}
	fmt.Fprintf(w, "\n共 in all：新增或改动 new or changed %d，不变 as before %d，移除 removed %d\n", len(r.New), r.Kept, len(r.Gone))
	if len(r.Ceilings) == 0 {
		fmt.Fprintln(w, "时段和上限不变 · hours and ceilings as before")
	}
	for _, d := range r.Ceilings {
		mark := "~"
		if d.Wider {
			mark = "! 放宽 wider"
		}
		if d.Was == "" {
			fmt.Fprintf(w, "%s %s：%s\n", mark, d.What, d.Now)
		} else {
			fmt.Fprintf(w, "%s %s：%s → %s\n", mark, d.What, d.Was, d.Now)
		}
	}
}

// instant prints an instant in this machine's zone; 0 is a dash.
func instant(us int64) string {
	if us == 0 {
		return "—"
	}
	return wire.FromUS(us).Local().Format(time.DateTime)
}
