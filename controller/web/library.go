package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/controller/fleet"
)

// clipRoutes are the library and what is said about its clips.
func (s *Server) clipRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/clips", "clips", s.clips)
	s.page(mux, fleet.ActRead, "/clips/{id}", "clip", s.clip)
	s.may(mux, fleet.ActRead, "GET /clips/{id}/audio", s.clipAudio)
	s.may(mux, fleet.ActUpload, "POST /clips", s.uploadClips)
	s.may(mux, fleet.ActUpload, "POST /clips/{id}/tags", s.tagClip)
	s.may(mux, fleet.ActUpload, "POST /clips/{id}/version", s.addVersion)
	s.may(mux, fleet.ActActivate, "POST /clips/share", s.setShare)
}

const clipsPerPage = 50

// clipsFilter is what the URL asks for.
type clipsFilter struct {
	fleet.ClipQuery
	Page int // from 1
}

func readClipsFilter(q url.Values, today fleet.Day) clipsFilter {
	f := clipsFilter{ClipQuery: fleet.ClipQuery{Text: strings.TrimSpace(q.Get("q")), Type: q.Get("type"), Today: today, Sort: fleet.ClipsByUpload, Limit: clipsPerPage}, Page: 1}
	if len(f.Text) > 200 {
		f.Text = strings.ToValidUTF8(f.Text[:200], "")
	}
	f.Audience = known(fleet.Audiences, q.Get("for"))
	f.State = fleet.ClipState(q.Get("state")) // a word that is none finds nothing
	if by := fleet.ClipSort(q.Get("sort")); slices.Contains(fleet.ClipSorts, by) {
		f.Sort = by
	}
	f.Reverse = q.Get("dir") == "back"
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 1 && n < 1_000_000 {
		f.Page = n
	}
	f.Offset = (f.Page - 1) * clipsPerPage
	return f
}

// link is the URL of the same list in another order or on another page.
func (f clipsFilter) link(by fleet.ClipSort, back bool, page int) string {
	q := url.Values{}
	set := func(key, value string) {
		if value != "" {
			q.Set(key, value)
		}
	}
	set("q", f.Text)
	set("type", f.Type)
	set("for", f.Audience)
	set("state", string(f.State))
	if by != fleet.ClipsByUpload {
		q.Set("sort", string(by))
	}
	if back {
		q.Set("dir", "back")
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	if len(q) == 0 {
		return "/clips"
	}
	return "/clips?" + q.Encode()
}

// Head returns the head of the column sorted by name, with its text; pressing it
// again turns the order round.
func (v *clipsView) Head(name, text string) clipsHead {
	by := fleet.ClipSort(name)
	on := v.Filter.Sort == by
	way := "ascending"
	if v.Filter.Reverse != (by == fleet.ClipsByUpload) { // the newest stand first
		way = "descending"
	}
	return clipsHead{sortLink{Href: v.Filter.link(by, on && !v.Filter.Reverse, 1), Text: text, On: on}, way}
}

// clipsHead is the head of a column with the way that it is sorted, as ARIA
// names it.
type clipsHead struct {
	sortLink
	Way string
}

func (f clipsFilter) pager(all int) pager {
	p := pager{Page: f.Page, Pages: max(1, (all+clipsPerPage-1)/clipsPerPage)}
	if p.Page > 1 {
		p.Previous = f.link(f.Sort, f.Reverse, p.Page-1)
	}
	if p.Page < p.Pages {
		p.Next = f.link(f.Sort, f.Reverse, p.Page+1)
	}
	return p
}

// versionRow is one version of a clip.
type versionRow struct {
	Href, Title, Name string
	Version           int
	Standing          standing
	Length, Uploaded  string
	By, Usage         string
	This              bool
}

// versions lists every version of a clip, the newest first; nil where it is the
// only one.
func (s *Server) versions(ctx context.Context, v *visit, c fleet.Clip, uses map[string][]string) ([]versionRow, error) {
	all, err := s.o.Library.ClipVersions(ctx, c.ID)
	if err != nil || len(all) < 2 {
		return nil, err
	}
	rows := make([]versionRow, len(all))
	for i, o := range all {
		row := v.L.clipRow(o, uses, v, s.today(v))
		rows[i] = versionRow{
			Href: row.Href, Title: row.Title, Name: row.Name, Version: o.Version, Standing: row.Standing, Length: row.Length,
			Uploaded: row.Uploaded, By: row.By, Usage: row.Usage, This: o.ID == c.ID,
		}
	}
	return rows, nil
}

// tagClip says other things about a clip than what is signed with it.
func (s *Server) tagClip(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	c, err := s.clipOf(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("upload.no_form"), TextEN: v.L.T("upload.no_form"), Err: err}
	}
	tags := fleet.ClipTags{ScamType: known(fleet.ScamTypes, r.PostForm.Get("type")), Spoken: strings.TrimSpace(strings.ReplaceAll(r.PostForm.Get("spoken"), "\r\n", "\n"))}
	for _, a := range fleet.Audiences { // in the order in which they are offered
		if slices.Contains(r.PostForm["audience"], a) {
			tags.Audience = append(tags.Audience, a)
		}
	}
	if utf8.RuneCountInString(tags.Spoken) > fleet.MaxClipText {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("clip.spoken.long", fleet.MaxClipText), TextEN: v.L.T("clip.spoken.long", fleet.MaxClipText)}
	}
	ctx, pending := s.withAudit(r, v, fleet.Audit{
		What: fleet.AuditClipTags, Object: c.Title,
		Before: fleet.Fields("type", c.ScamType, "audience", c.Audience, "spoken", c.Spoken),
		After:  fleet.Fields("type", tags.ScamType, "audience", strings.Join(tags.Audience, "、"), "spoken", tags.Spoken),
	})
	if err := s.o.Library.TagClip(ctx, c.ID, tags); err != nil {
		return err
	}
	s.audited(r, pending)
	s.planned.forget()
	return redirect(w, r, clipPath(c.ID)+"?done=clip_tags")
}

// addVersion takes a file as the next version of a clip. What sounds stays as it
// is until the new one is signed off and dispatched.
func (s *Server) addVersion(w http.ResponseWriter, r *http.Request, v *visit) error {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(uploadTimeout)) // not every writer has deadlines
	_ = rc.SetWriteDeadline(time.Now().Add(uploadTimeout))
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	c, err := s.clipOf(r)
	if err != nil {
		return err
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("upload.no_form"), TextEN: v.L.T("upload.no_form"), Err: err}
	}
	info := ClipInfo{Title: c.Title, Text: c.Text, Spoken: c.Spoken, ScamType: c.ScamType, Audience: c.Audience, ValidFrom: c.ValidFrom, ValidUntil: c.ValidUntil, First: c.ID}
	res := uploadResult{Text: v.L.T("upload.none")}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			res = uploadResult{Text: v.L.T("upload.cut")}
			break
		}
		if part.FileName() != "" {
			res = s.uploadOne(r, v, part, info)
			break
		}
	}
	return redirect(w, r, fmt.Sprintf("/clips?upload=%s", s.results.put([]uploadResult{res}, v.User.ID, v.Now)))
}
