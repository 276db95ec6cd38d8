package signing

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"gatecast/audio"
	"gatecast/audio/decode"
	"gatecast/audio/loudness"
	"gatecast/internal/wire"
)

// Review is what is to be looked at before a signature.
type Review struct {
	New      []Clip              // not in the manifest before, or otherwise there
	Gone     []wire.ManifestClip // no longer asked for
	Kept     int                 // as they were
	Ceilings []Difference        // of what may sound at all; empty when nothing changed
	Faults   []string            // why this must not be signed, for people; Chinese and English
}

// Clip is a new clip with what was measured here.
type Clip struct {
	wire.ManifestClip
	Was    *wire.ManifestClip // as it was signed before; nil for a new one
	Word   Word
	Length time.Duration
	LUFS   float64 // of the file as it is
	Sounds float64 // LUFS with the gain that is asked for, after the limiter
	Peak   float64 // dBTP of the file
	PCM    *audio.PCM
	Fault  string // why it must not be signed; empty if nothing is wrong
}

// Difference is one limit that changed.
type Difference struct {
	What, Was, Now string
	Wider          bool // more may sound than before
}

// loudest is how loud a clip may come out of the limiter before the reviewer
// says so: the controller aims at −18 LUFS.
const loudest = -15.0

// Review compares what is asked for with known, a manifest that the reader
// signed before (nil for none), and measures every clip that is new against
// it. see is called after each clip; it may be nil.
func (b *Bundle) Review(ctx context.Context, known *wire.Manifest, see func(Clip)) (Review, error) {
	var r Review
	m := b.Request.Manifest
	before := map[string]wire.ManifestClip{}
	var ceilings *wire.Ceilings
	if known != nil {
		for _, c := range known.Clips {
			before[c.SHA256] = c
		}
		ceilings = &known.Ceilings
		if m.Version <= known.Version {
			r.Faults = append(r.Faults, fmt.Sprintf("清单版本 %d 不高于已签过的 %d，设备会拒收 · version %[1]d is not above %[2]d, which was signed before: devices would refuse it", m.Version, known.Version))
		}
	}
	r.Ceilings = differences(ceilings, m.Ceilings)
	if len(m.Ceilings.Allowed) == 0 {
		r.Faults = append(r.Faults, "没有任何允许的时段 · no hours are allowed")
	}
	for _, c := range m.Clips {
		was, ok := before[c.SHA256]
		delete(before, c.SHA256)
		if ok && was == c {
			r.Kept++
			continue
		}
		n := b.measure(ctx, c)
		if ok {
			n.Was = &was
		}
		if n.Fault != "" {
			r.Faults = append(r.Faults, fmt.Sprintf("素材 · clip %q: %s", c.Title, n.Fault))
		}
		r.New = append(r.New, n)
		if see != nil {
			see(n)
		}
		if err := ctx.Err(); err != nil {
			return r, err
		}
	}
	if known != nil {
		for _, c := range known.Clips {
			if _, gone := before[c.SHA256]; gone {
				r.Gone = append(r.Gone, c)
			}
		}
	}
	return r, nil
}

// measure decodes a clip as a device does and holds it against what is to be
// signed.
func (b *Bundle) measure(ctx context.Context, c wire.ManifestClip) Clip {
	n := Clip{ManifestClip: c, Word: b.Request.Words[c.SHA256]}
	data, err := b.Clip(c.SHA256)
	if err != nil {
		n.Fault = "包里没有它的声音，或声音已被改动 · its sound is missing or was changed: " + err.Error()
		return n
	}
	if kind := decode.Sniff(data); kind != decode.KindFLAC {
		n.Fault = fmt.Sprintf("不是 FLAC · not FLAC but %q", kind)
		return n
	}
	pcm, _, err := decode.Decode(ctx, data, decode.Limits{Bytes: maxClip, Duration: 15 * time.Minute, Channels: 1})
	if err != nil {
		n.Fault = "无法解码 · it cannot be decoded: " + err.Error()
		return n
	}
	n.PCM = pcm
	n.Length = time.Duration(pcm.Frames()) * time.Second / time.Duration(pcm.Rate)
	m := loudness.Measure(pcm)
	n.LUFS, n.Peak = m.Integrated, m.TruePeak
	if pcm.Rate != c.Rate || int64(pcm.Frames()) != c.Frames || int64(len(data)) != c.Bytes {
		n.Fault = fmt.Sprintf("声音是 %d 字节、%d 帧、%d Hz，清单写的是 %d、%d、%d · the sound is %[1]d bytes, %[2]d frames at %[3]d Hz, the manifest says %[4]d, %[5]d at %[6]d",
			len(data), pcm.Frames(), pcm.Rate, c.Bytes, c.Frames, c.Rate)
		return n
	}
	src, err := audio.Render(pcm, audio.RenderOptions{Gain: audio.Gain(c.GainDB)})
	if err != nil {
		n.Fault = "增益不可用 · the gain cannot be used: " + err.Error()
		return n
	}
	out, err := audio.Collect(src)
	if err != nil {
		n.Fault = "增益不可用 · the gain cannot be used: " + err.Error()
		return n
	}
	n.Sounds = loudness.Measure(out).Integrated
	if n.Sounds > loudest {
		n.Fault = fmt.Sprintf("播出响度 %.1f LUFS，高于 %.0f · it sounds at %.1[1]f LUFS, above %.0[2]f", n.Sounds, loudest)
	}
	if math.IsInf(n.Sounds, -1) != c.Silent {
		n.Fault = "静音标记与声音不符 · it is marked silent and is not, or the other way round"
	}
	return n
}

// differences lists the limits that are not as before; all of them where
// nothing was signed before.
func differences(was *wire.Ceilings, now wire.Ceilings) []Difference {
	var all []Difference
	add := func(what, before, after string, wider bool) {
		if was == nil {
			before, wider = "", false
		}
		if was == nil || before != after {
			all = append(all, Difference{what, before, after, wider})
		}
	}
	var w wire.Ceilings
	if was != nil {
		w = *was
	}
	add("允许时段 hours", hours(w.Allowed)+" "+w.Zone, hours(now.Allowed)+" "+now.Zone, minutes(now.Allowed) > minutes(w.Allowed) || !within(now.Allowed, w.Allowed) || w.Zone != now.Zone)
	add("增益上限 gain", fmt.Sprintf("%g dB", w.MaxGainDB), fmt.Sprintf("%g dB", now.MaxGainDB), now.MaxGainDB > w.MaxGainDB)
	add("音量上限 volume", fmt.Sprintf("%d %%", w.MaxVolumePct), fmt.Sprintf("%d %%", now.MaxVolumePct), now.MaxVolumePct > w.MaxVolumePct)
	add("每小时最多 plays an hour", fmt.Sprint(w.MaxPlaysPerHour), fmt.Sprint(now.MaxPlaysPerHour), now.MaxPlaysPerHour > w.MaxPlaysPerHour)
	add("单条最长 longest clip", fmt.Sprintf("%d s", w.MaxClipS), fmt.Sprintf("%d s", now.MaxClipS), now.MaxClipS > w.MaxClipS)
	return all
}

func hours(all []wire.DailyWindow) string {
	text := ""
	for i, w := range all {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%02d:%02d–%02d:%02d", w.FirstMin/60, w.FirstMin%60, w.LastMin/60, w.LastMin%60)
	}
	return text
}

func minutes(all []wire.DailyWindow) (n int) {
	for _, w := range all {
		n += w.LastMin - w.FirstMin
	}
	return n
}

// within reports whether each window lies in one of the others.
func within(all, others []wire.DailyWindow) bool {
	return !slices.ContainsFunc(all, func(w wire.DailyWindow) bool {
		return !slices.ContainsFunc(others, func(o wire.DailyWindow) bool { return o.FirstMin <= w.FirstMin && w.LastMin <= o.LastMin })
	})
}
