package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// clipsView is 素材库.
type clipsView struct {
	Results   []uploadResult // of the upload that led here
	Rows      []clipRow
	All       int
	Query     string
	Types     []option
	Audiences []option // of the upload form
	NewTypes  []option // of the upload form
	MayUpload bool
}

// clipRow is one clip in the library.
type clipRow struct {
	ID            fleet.ClipID
	Href, Audio   string
	Name, Title   string
	Text          string
	Type, For     string
	Length        string
	Loudness      string // as it will sound, LUFS
	Peak          string // dBTP
	Example       bool
	Silent        bool
	Withdrawn     bool
	Wave          string
	Uploaded, By  string
	Hash          string
	UsedBy        []string // active programmes
	Usage, Gain   string
	Measured      string // LUFS of the file
	Bytes         string
	Rate          int
	OriginalShort string
}

func (s *Server) clips(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "nav.clips", "clips")
	if err != nil {
		return f, err
	}
	all, err := s.o.Clips.Clips(ctx)
	if err != nil {
		return f, fmt.Errorf("reading clips: %w", err)
	}
	uses, err := s.clipUses(ctx)
	if err != nil {
		return f, err
	}
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	kind := r.URL.Query().Get("type")
	view := &clipsView{
		All: len(all), Query: q, MayUpload: fleet.May(v.User.Role, fleet.ActUpload),
		Audiences: v.L.choices(audiences, ""), NewTypes: v.L.choices(scamTypes, ""),
	}
	var seen []string
	for _, c := range all {
		if c.ScamType != "" && !slices.Contains(seen, c.ScamType) {
			seen = append(seen, c.ScamType)
		}
		if kind != "" && c.ScamType != kind || q != "" && !clipMatches(c, q) {
			continue
		}
		view.Rows = append(view.Rows, v.L.clipRow(c, uses, v))
	}
	view.Types = v.L.choices(seen, kind)
	view.Results = s.results.get(r.URL.Query().Get("upload"), v.User.ID, v.Now)
	f.V = view
	return f, nil
}

func clipMatches(c fleet.Clip, q string) bool {
	q = strings.ToLower(q)
	for _, field := range []string{c.Name, c.Title, c.Text, c.SHA256} {
		if strings.Contains(strings.ToLower(field), q) {
			return true
		}
	}
	return false
}

// clipUses returns the names of active programmes by the clip reference they
// write, which is a name or a hash.
func (s *Server) clipUses(ctx context.Context) (map[string][]string, error) {
	all, err := s.o.Programmes.Programmes(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading programmes: %w", err)
	}
	uses := map[string][]string{}
	for _, p := range all {
		if p.State != fleet.Active {
			continue
		}
		parsed, err := schedules.Parse(p.Code, p.YAML)
		if err != nil {
			continue // it was valid when it was stored; the programme's own page says what it is now
		}
		for _, ref := range parsed.ClipRefs() {
			uses[ref] = append(uses[ref], p.Name)
		}
	}
	return uses, nil
}

func (l *lang) clipRow(c fleet.Clip, uses map[string][]string, v *visit) clipRow {
	row := clipRow{
		ID: c.ID, Href: clipPath(c.ID), Audio: clipPath(c.ID) + "/audio", Name: c.Name, Title: c.Title, Text: c.Text,
		Type: l.tags(c.ScamType), For: l.tags(c.Audience), Length: l.Length(c.Duration()),
		Loudness: signed(c.LUFS + c.GainDB), Peak: signed(min(c.TruePeak+c.GainDB, peakCeiling)), Measured: signed(c.LUFS),
		Gain: fmt.Sprintf("%+.1f", c.GainDB), Example: c.Example, Silent: c.Silent, Withdrawn: !c.Withdrawn.IsZero(),
		Wave: wave(c.Peaks, 40, 112, 28), Uploaded: l.Stamp(c.Uploaded, v.Now), By: c.By, Hash: c.SHA256,
		UsedBy: append(slices.Clone(uses[c.Name]), uses[c.SHA256]...), Bytes: fmt.Sprintf("%.2f MB", float64(c.Bytes)/1e6),
		Rate: c.Rate, OriginalShort: short(c.Original),
	}
	row.Usage = strings.Join(row.UsedBy, l.T("list"))
	return row
}

// peakCeiling is what the limiter on the device lets through, in dBTP.
const peakCeiling = -1.5

// signed writes a level with the proper minus sign.
func signed(v float64) string {
	return strings.Replace(fmt.Sprintf("%.1f", v), "-", "−", 1)
}

func clipPath(id fleet.ClipID) string { return fmt.Sprintf("/clips/%d", id) }

// clipView is one clip.
type clipView struct {
	clipRow
	Big string // waveform
}

func (s *Server) clip(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "", "clips")
	if err != nil {
		return f, err
	}
	c, err := s.clipOf(r)
	if err != nil {
		return f, err
	}
	uses, err := s.clipUses(ctx)
	if err != nil {
		return f, err
	}
	row := v.L.clipRow(c, uses, v)
	f.Title, f.V = c.Title, &clipView{clipRow: row, Big: wave(c.Peaks, 200, 800, 96)}
	return f, nil
}

func (s *Server) clipOf(r *http.Request) (fleet.Clip, error) {
	var id fleet.ClipID
	if _, err := fmt.Sscan(r.PathValue("id"), &id); err != nil || id < 1 {
		return fleet.Clip{}, errNoPage
	}
	c, err := s.o.Clips.Clip(r.Context(), id)
	if fleet.CodeOf(err) == fleet.NotFound {
		return c, errNoPage
	}
	if err != nil {
		return c, fmt.Errorf("reading clip: %w", err)
	}
	return c, nil
}

// clipAudio serves the delivery form as devices get it, with ranges, so that
// a browser can seek.
func (s *Server) clipAudio(w http.ResponseWriter, r *http.Request, v *visit) error {
	c, err := s.clipOf(r)
	if err != nil {
		return err
	}
	file, err := s.o.Media.Open(c.SHA256)
	if err != nil {
		return fmt.Errorf("opening clip %q: %w", c.Name, err)
	}
	defer file.Close()
	h := w.Header()
	h.Set("Content-Type", "audio/flac")
	h.Set("ETag", `"`+c.SHA256+`"`)
	h.Set("Cache-Control", "private, max-age=86400")
	h.Set("Content-Disposition", "inline; filename*=UTF-8''"+url.PathEscape(c.Title)+".flac")
	http.ServeContent(w, r, "", c.Uploaded, file)
	return nil
}
