package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strings"

	"gatecast/controller/fleet"
)

// programmesView is 播放计划: what is in force, every version, and the form
// for a new one.
type programmesView struct {
	Rows     []programmeRow
	Codes    int
	MayWrite bool
	Form     programmeForm
	Drafts   []programmeRow // of the user's own, half written
	Share    *shareView
}

// programmeRow is one version of a programme.
type programmeRow struct {
	Href, Name, Code string
	Version          int
	State, Tone      string
	Uploaded, By     string
	Activated        string
	Newest           bool // of its code
}

// programmeForm is the form as it was sent, with what is wrong with it.
type programmeForm struct {
	YAML     string
	File     string
	Error    string // about the form as a whole
	Problems []problemRow
}

// problemRow is one problem in the reader's language.
type problemRow struct {
	Line      int
	Key, Text string
	Blocking  bool
}

func (s *Server) programmes(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	return s.programmesWith(ctx, v, r, programmeForm{})
}

func (s *Server) programmesWith(ctx context.Context, v *visit, r *http.Request, form programmeForm) (frame, error) {
	f, err := s.frame(ctx, v, r, "nav.programmes", "programmes")
	if err != nil {
		return f, err
	}
	all, err := s.o.Programmes.Programmes(ctx)
	if err != nil {
		return f, fmt.Errorf("reading programmes: %w", err)
	}
	view := &programmesView{MayWrite: fleet.May(v.User.Role, fleet.ActActivate), Form: form}
	sort.SliceStable(all, func(i, j int) bool {
		if all[i].Code != all[j].Code {
			return all[i].Code < all[j].Code
		}
		return all[i].Version > all[j].Version
	})
	last := ""
	for _, p := range all {
		row := programmeRow{
			Href: programmePath(p.ID), Name: p.Name, Code: p.Code, Version: p.Version,
			Uploaded: v.L.Stamp(p.Uploaded, v.Now), By: p.By, Activated: v.L.Stamp(p.Activated, v.Now), Newest: p.Code != last,
		}
		row.State, row.Tone = v.L.programmeState(p)
		if row.Newest {
			view.Codes++
		}
		last = p.Code
		view.Rows = append(view.Rows, row)
	}
	drafts, err := s.o.Drafts.FormDrafts(ctx, v.User.Login)
	if err != nil {
		return f, fmt.Errorf("reading drafts: %w", err)
	}
	for _, d := range drafts {
		view.Drafts = append(view.Drafts, programmeRow{Href: fmt.Sprintf("/drafts/%d", d.ID), Name: d.Title, Uploaded: v.L.Stamp(d.Saved, v.Now)})
	}
	if view.Share, err = s.share(ctx, v, "/programmes"); err != nil {
		return f, err
	}
	f.V = view
	return f, nil
}

func (l *lang) programmeState(p fleet.Programme) (text, tone string) {
	tones := map[fleet.ProgrammeState]string{fleet.Active: "ok", fleet.Draft: "info"}
	return l.T("programme.state." + string(p.State)), tones[p.State]
}

func programmePath(id fleet.ProgrammeID) string { return fmt.Sprintf("/programmes/%d", id) }

// maxYAML bounds a programme file; a real one has a few kilobytes.
const maxYAML = 256 << 10

// uploadProgramme stores a new version from a file or from the text field. On
// problems that forbid it the form comes back as it was sent.
func (s *Server) uploadProgramme(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	again := func(form programmeForm) error {
		f, err := s.programmesWith(r.Context(), v, r, form)
		if err != nil {
			return err
		}
		return s.show(w, http.StatusUnprocessableEntity, "programmes", f)
	}
	form, err := readProgramme(r)
	if form.File == "" {
		form.File = v.L.T("programme.pasted")
	}
	switch {
	case err != nil:
		form.Error = v.L.T("programme.unreadable", maxYAML>>10)
		return again(form)
	case strings.TrimSpace(form.YAML) == "":
		form.Error = v.L.T("programme.nothing")
		return again(form)
	}
	p, problems, err := s.o.Planner.Upload(r.Context(), form.File, []byte(form.YAML), v.User.Login, v.Now)
	if fe := (*fleet.Error)(nil); errors.As(err, &fe) && fe.Code != fleet.Internal {
		form.Error = v.L.Error(fe)
		return again(form)
	}
	if err != nil {
		return fmt.Errorf("storing programme: %w", err)
	}
	if p.ID == 0 {
		form.Problems = v.L.problems(problems)
		return again(form)
	}
	s.audit(r, v, fleet.AuditProgramme, p.Name, fmt.Sprint(p.Version))
	return redirect(w, r, programmePath(p.ID)+"?done=programme")
}

// readProgramme takes the file if there is one, otherwise the text.
func readProgramme(r *http.Request) (programmeForm, error) {
	var form programmeForm
	if err := r.ParseMultipartForm(maxForm); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return form, fmt.Errorf("reading form: %w", err)
	}
	form.YAML = r.FormValue("yaml")
	file, head, err := r.FormFile("file")
	if err == nil {
		defer file.Close()
		data, err := io.ReadAll(io.LimitReader(file, maxYAML+1))
		if err != nil {
			return form, fmt.Errorf("reading file: %w", err)
		}
		if len(data) > 0 {
			form.YAML, form.File = string(data), baseName(head.Filename)
		}
	}
	if len(form.YAML) > maxYAML {
		form.YAML = ""
		return form, fmt.Errorf("programme of over %d bytes", maxYAML)
	}
	return form, nil
}

func (l *lang) problems(list []Problem) []problemRow {
	rows := make([]problemRow, len(list))
	for i, p := range list {
		rows[i] = problemRow{Line: p.Line, Key: p.Key, Blocking: p.Blocking, Text: l.Error(&fleet.Error{Text: p.Text, TextEN: p.TextEN})}
	}
	sort.SliceStable(rows, func(i, j int) bool { return rows[i].Blocking && !rows[j].Blocking })
	return rows
}

// programmeYAML sends a version as it was written.
func (s *Server) programmeYAML(w http.ResponseWriter, r *http.Request, v *visit) error {
	p, err := s.programmeOf(r)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/yaml; charset=utf-8")
	h.Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(fmt.Sprintf("%s-%d.yaml", p.Code, p.Version)))
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(p.YAML)
	return nil
}

func (s *Server) programmeOf(r *http.Request) (fleet.Programme, error) {
	var id fleet.ProgrammeID
	if _, err := fmt.Sscan(r.PathValue("id"), &id); err != nil || id < 1 {
		return fleet.Programme{}, errNoPage
	}
	p, err := s.o.Programmes.Programme(r.Context(), id)
	if fleet.CodeOf(err) == fleet.NotFound {
		return p, errNoPage
	}
	if err != nil {
		return p, fmt.Errorf("reading programme: %w", err)
	}
	return p, nil
}
