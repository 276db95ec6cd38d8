package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// programmeDiffView compares two versions of a programme, value by value.
type programmeDiffView struct {
	Name, Href string
	Is, Was    string // versions
	Versions   []option
	Rows       []diffRow
}

// diffRow is one value that differs; Was or Is is empty where it is not there.
type diffRow struct {
	Place, Field string
	Was, Is      string
}

func (s *Server) programmeDiff(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "", "programmes")
	if err != nil {
		return f, err
	}
	prog, err := s.programmeOf(r)
	if err != nil {
		return f, err
	}
	all, err := s.o.Programmes.Programmes(ctx)
	if err != nil {
		return f, fmt.Errorf("reading programmes: %w", err)
	}
	var old *fleet.Programme
	asked := r.URL.Query().Get("with")
	view := &programmeDiffView{Name: prog.Name, Href: programmePath(prog.ID), Is: v.L.T("plan.version", prog.Version)}
	for i := range all { // by code, newest version first
		p := &all[i]
		if p.Code != prog.Code || p.ID == prog.ID {
			continue
		}
		switch {
		case asked != "" && strconv.Itoa(p.Version) == asked:
			old = p
		case asked == "" && old == nil && p.Version < prog.Version:
			old = p
		}
		state, _ := v.L.programmeState(*p)
		view.Versions = append(view.Versions, option{Value: strconv.Itoa(p.Version), Text: v.L.T("plan.version", p.Version) + " " + state})
	}
	if old != nil {
		for i := range view.Versions {
			view.Versions[i].On = view.Versions[i].Value == strconv.Itoa(old.Version)
		}
		view.Was = v.L.T("plan.version", old.Version)
		if view.Rows, err = v.L.differences(old.YAML, prog.YAML); err != nil {
			return f, err
		}
	}
	f.Title, f.V = prog.Name+" "+v.L.T("diff.title"), view
	return f, nil
}

// differences lists the values that differ between two texts.
func (l *lang) differences(was, is []byte) ([]diffRow, error) {
	var both [2]map[string]string
	for i, text := range [][]byte{was, is} {
		p, err := schedules.Parse("", text)
		if err != nil {
			var list schedules.Errors
			if errors.As(err, &list) {
				err = list
			}
			return nil, fmt.Errorf("parsing a stored programme: %w", err)
		}
		fields, err := shownFields(p)
		if err != nil {
			return nil, err
		}
		both[i] = named(fields)
	}
	names := map[string]bool{}
	for _, side := range both {
		for name := range side {
			names[name] = true
		}
	}
	var rows []diffRow
	for name := range names {
		if a, b := both[0][name], both[1][name]; a != b {
			place, field := name, name
			if i := strings.LastIndexByte(name, '.'); i >= 0 {
				place, field = name[:i], name[i+1:]
			} else {
				place = ""
			}
			if key := "pf." + field; l.Has(key) {
				field = l.T(key)
			}
			rows = append(rows, diffRow{Place: place, Field: field, Was: a, Is: b})
		}
	}
	slices.SortFunc(rows, func(a, b diffRow) int {
		return strings.Compare(a.Place+"."+a.Field, b.Place+"."+b.Field)
	})
	return rows, nil
}

// place is an entry of a list in the name of a field.
var place = regexp.MustCompile(`^(slots|quiet\.dated|example_points)\.(\d+)\.(.*)$`)

// named gives entries of lists their keys in place of their numbers, so that
// one that is put between moves no other.
func named(fields url.Values) map[string]string {
	out := map[string]string{}
	for name, values := range fields {
		if m := place.FindStringSubmatch(name); m != nil {
			id := fields.Get(m[1] + "." + m[2] + ".key")
			if id == "" {
				id = fields.Get(m[1] + "." + m[2] + ".id")
			}
			name = m[1] + "[" + id + "]." + m[3]
		}
		out[name] = values[0]
	}
	return out
}
