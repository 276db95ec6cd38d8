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
	Found     int // of all that match
	All       int
	Filter    clipsFilter
	Pager     pager
	Query     string
	Types     []option
	Fors      []option
	Audiences []option // of the upload form
	NewTypes  []option // of the upload form
	States    []option
	Waiting   []clipRow // that the user may sign off
	Drafts    []clipRow // that the user may submit
	Share     *shareView
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
	Standing      standing
	Valid         string
	Changed       bool // other terms wait beside those in force
	Wants         fleet.ClipTerms
	WantsValid    string
	From          string // submitted by whom and when
	Reason        string
	Unheard       bool // waits for the user, who has not listened
	Key           string
	Wave          string
	Uploaded, By  string
	Hash          string
	UsedBy        []string // active programmes
	Usage, Gain   string
	Measured      string // LUFS of the file
	Bytes         string
	Rate          int
	Long          string // why it is longer than others
	Version       int
	Source        string
	OriginalShort string
}

func (s *Server) clips(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "nav.clips", "clips")
	if err != nil {
		return f, err
	}
	uses, err := s.clipUses(ctx)
	if err != nil {
		return f, err
	}
	q := readClipsFilter(r.URL.Query(), s.today(v))
	list, found, err := s.o.Library.ClipPage(ctx, q.ClipQuery)
	if err != nil {
		return f, fmt.Errorf("reading clips: %w", err)
	}
	view := &clipsView{
		Found: found, All: found, Filter: q, Pager: q.pager(found), Query: q.Text, MayUpload: fleet.May(v.User.Role, fleet.ActUpload),
		Audiences: v.L.choices(fleet.Audiences, ""), NewTypes: v.L.choices(fleet.ScamTypes, ""), Fors: v.L.choices(fleet.Audiences, q.Audience),
	}
	if q.Text != "" || q.Type != "" || q.Audience != "" || q.State != "" {
		if _, view.All, err = s.o.Library.ClipPage(ctx, fleet.ClipQuery{Limit: 1}); err != nil {
			return f, fmt.Errorf("counting clips: %w", err)
		}
	}
	for _, c := range list {
		view.Rows = append(view.Rows, v.L.clipRow(c, uses, v, s.today(v)))
	}
	if err := s.todo(ctx, v, uses, view); err != nil {
		return f, err
	}
	for _, st := range fleet.ClipStates {
		view.States = append(view.States, option{Value: string(st), Text: v.L.T("clip.state." + string(st)), On: q.State == st})
	}
	types, err := s.o.Library.ClipTypes(ctx)
	if err != nil {
		return f, err
	}
	view.Types = v.L.choices(types, q.Type)
	if view.Share, err = s.share(ctx, v, "/clips"); err != nil {
		return f, err
	}
	view.Results = s.results.get(r.URL.Query().Get("upload"), v.User.ID, v.Now)
	f.V = view
	return f, nil
}

// todo finds what the user can do at once: sign off what waits, submit drafts;
// maxMany of each, which is what one press decides about.
func (s *Server) todo(ctx context.Context, v *visit, uses map[string][]string, view *clipsView) error {
	if fleet.May(v.User.Role, fleet.ActApprove) {
		waiting, _, err := s.o.Library.ClipPage(ctx, fleet.ClipQuery{State: fleet.ClipSubmitted, Today: s.today(v), Limit: maxMany})
		if err != nil {
			return fmt.Errorf("reading clips that wait: %w", err)
		}
		for _, c := range waiting {
			if c.MaySign(v.User) != nil {
				continue
			}
			row := v.L.clipRow(c, uses, v, s.today(v))
			heard, err := s.o.Approvals.HeardClip(ctx, c.ID, v.User.Login)
			if err != nil {
				return err
			}
			row.Unheard = !heard
			view.Waiting = append(view.Waiting, row)
		}
	}
	if !view.MayUpload {
		return nil
	}
	for _, state := range []fleet.ClipState{fleet.ClipReturned, fleet.ClipDraft} {
		drafts, _, err := s.o.Library.ClipPage(ctx, fleet.ClipQuery{State: state, Today: s.today(v), Limit: maxMany})
		if err != nil {
			return fmt.Errorf("reading drafts: %w", err)
		}
		for _, c := range drafts {
			view.Drafts = append(view.Drafts, v.L.clipRow(c, uses, v, s.today(v)))
		}
	}
	return nil
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

func (l *lang) clipRow(c fleet.Clip, uses map[string][]string, v *visit, today fleet.Day) clipRow {
	row := clipRow{
		ID: c.ID, Href: clipPath(c.ID), Audio: clipPath(c.ID) + "/audio", Name: c.Name, Title: c.Title, Text: c.Text,
		Type: l.tags(c.ScamType), For: l.tags(c.Audience), Length: l.Length(c.Duration()),
		Loudness: signed(c.LUFS + c.GainDB), Peak: signed(min(c.TruePeak+c.GainDB, peakCeiling)), Measured: signed(c.LUFS),
		Gain: fmt.Sprintf("%+.1f", c.GainDB), Example: c.Example, Silent: c.Silent,
		Wave: wave(c.Peaks, 40, 112, 28), Uploaded: l.Stamp(c.Uploaded, v.Now), By: c.By, Hash: c.SHA256,
		UsedBy: append(slices.Clone(uses[c.Name]), uses[c.SHA256]...), Bytes: fmt.Sprintf("%.2f MB", float64(c.Bytes)/1e6),
		Rate: c.Rate, OriginalShort: short(c.Original), Long: c.Long, Version: c.Version, Source: l.T("clip.source." + string(c.Source)),
	}
	row.Standing, row.Valid = l.standing(c.Standing(today)), l.valid(c.ValidFrom, c.ValidUntil)
	row.Changed, row.Wants, row.Reason = c.Change != nil, c.Wanted(), c.Reason
	row.WantsValid = l.valid(row.Wants.ValidFrom, row.Wants.ValidUntil)
	row.Key = fmt.Sprintf("%d.%d", c.ID, c.Revision)
	if !c.Submitted.IsZero() {
		row.From = l.T("clip.by", c.Submitter, l.Stamp(c.Submitted, v.Now))
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
	Big       string // waveform
	Approval  *approvalView
	Versions  []versionRow // nil where there is one
	Spoken    string
	Types     []option
	Audiences []option
	MayUpload bool
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
	approval, err := s.approvalOf(ctx, v, c)
	if err != nil {
		return f, err
	}
	row := v.L.clipRow(c, uses, v, s.today(v))
	view := &clipView{
		clipRow: row, Big: wave(c.Peaks, 200, 800, 96), Approval: approval, Spoken: c.Spoken,
		Types: v.L.choices(fleet.ScamTypes, c.ScamType), Audiences: v.L.choices(fleet.Audiences, ""), MayUpload: fleet.May(v.User.Role, fleet.ActUpload),
	}
	for i, a := range view.Audiences {
		view.Audiences[i].On = slices.Contains(fleet.Tags(c.Audience), a.Value)
	}
	if view.Versions, err = s.versions(ctx, v, c, uses); err != nil {
		return f, err
	}
	f.Title, f.V = c.Title, view
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
// a browser can seek. That the user has fetched it is kept: pages fetch nothing
// before somebody presses play.
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
	if from := r.Header.Get("Range"); from == "" || strings.HasPrefix(from, "bytes=0-") {
		if err := s.o.Approvals.HearClip(r.Context(), c.ID, v.User.Login, v.Now); err != nil {
			s.o.Logger.Warn("keeping who heard a clip", "clip", c.ID, "err", err)
		}
	}
	h := w.Header()
	h.Set("Content-Type", "audio/flac")
	h.Set("ETag", `"`+c.SHA256+`"`)
	h.Set("Cache-Control", "private, max-age=86400")
	h.Set("Content-Disposition", "inline; filename*=UTF-8''"+url.PathEscape(c.Title)+".flac")
	http.ServeContent(w, r, "", c.Uploaded, file)
	return nil
}
