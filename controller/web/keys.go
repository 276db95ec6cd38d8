package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/seal"
)

// Keys is the trust keys, and what the approver signs in strict mode.
type Keys interface {
	KeySet() KeySet
	ToSign(ctx context.Context, now time.Time) (ToSign, error)
	// Bundle writes what is to be signed, with the sound of what waits, or of
	// every clip.
	Bundle(ctx context.Context, w io.Writer, every bool, now time.Time) error
	// TakeSigned puts a signed manifest into force. A refusal is a *fleet.Error.
	TakeSigned(ctx context.Context, envelope []byte, now time.Time) (version uint64, clips int, err error)
}

// KeySet is the keys in force.
type KeySet struct {
	Version uint64 // of the trust root
	Hash    string // of the trust root, as in join lines
	Strict  bool
	Keys    []Key
}

// Key is one of them.
type Key struct {
	Role           string // root, library, director, release or ca
	ID             string
	Since          time.Time
	Version        uint64 // of the first trust root with it
	Here, Going    bool   // the secret is on this machine; it counts only until devices have the next one
	Thief, ThiefEN string // what somebody gains who steals it
}

// ToSign is what waits for the approver's machine.
type ToSign struct {
	Strict            bool
	Version           uint64 // of the manifest in force; 0 for none
	Clips             []fleet.Clip
	Gone              int // that leave with the next signature
	Ceilings, Retired bool
}

// keyRoutes are the pages about keys and signing.
func (s *Server) keyRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActSettings, "/settings/keys", "keys", s.keys)
	s.page(mux, fleet.ActApprove, "/signing", "signing", s.signing)
	s.may(mux, fleet.ActApprove, "POST /signing/bundle", s.signingBundle)
	s.may(mux, fleet.ActApprove, "POST /signing", s.importSigned)
}

type keysView struct {
	Version, Hash  string
	Strict         bool
	Rows           []keyRow
	Newest, Active int // devices with the newest root, and all
	Behind         []keyBehind
}

type keyRow struct {
	Role, ID, Since, Age, Place, Thief string
	Tone                               string
}

type keyBehind struct{ Point, Href, Has, Seen string }

func (s *Server) keys(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "keys.title", "")
	if err != nil {
		return f, err
	}
	if s.o.Keys == nil {
		return f, errNoPage
	}
	set := s.o.Keys.KeySet()
	view := &keysView{Version: fmt.Sprint(set.Version), Hash: set.Hash, Strict: set.Strict}
	for _, k := range set.Keys {
		row := keyRow{
			Role: v.L.T("keys.role." + k.Role), ID: k.ID, Since: v.L.Stamp(k.Since, v.Now), Thief: k.Thief,
			Age: v.L.T("keys.days", int(v.Now.Sub(k.Since)/(24*time.Hour))), Place: v.L.T("keys.away"), Tone: "ok",
		}
		if v.L.code != "zh" {
			row.Thief = k.ThiefEN
		}
		if k.Here {
			if row.Place = v.L.T("keys.here"); k.Role == "root" || k.Role == "release" {
				row.Place, row.Tone = v.L.T("keys.take_off"), "warn"
			}
		}
		if k.Going {
			row.Place, row.Tone = v.L.T("keys.going"), "warn"
		}
		view.Rows = append(view.Rows, row)
	}
	at, err := s.whereabouts(ctx)
	if err != nil {
		return f, err
	}
	devices, err := s.o.Devices.Devices(ctx)
	if err != nil {
		return f, fmt.Errorf("reading devices: %w", err)
	}
	for _, d := range devices {
		if d.State != fleet.DeviceActive {
			continue
		}
		if view.Active++; d.RootVersion >= set.Version {
			view.Newest++
			continue
		}
		row := keyBehind{Point: at[d.ID].Name, Href: pointPath(d.Point), Has: v.L.T("none"), Seen: v.L.Stamp(d.LastSeen, v.Now)}
		if d.RootVersion > 0 {
			row.Has = v.L.T("keys.version", d.RootVersion)
		}
		view.Behind = append(view.Behind, row)
	}
	f.V = view
	return f, nil
}

type signingView struct {
	Strict            bool
	Version           uint64
	Waiting           []signingRow
	Gone              int
	Ceilings, Retired bool
	Error             string
}

type signingRow struct{ Title, Href, Name, Length, Text string }

func (s *Server) signing(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "signing.title", "clips")
	if err != nil {
		return f, err
	}
	if s.o.Keys == nil {
		return f, errNoPage
	}
	t, err := s.o.Keys.ToSign(ctx, v.Now)
	if err != nil {
		return f, fmt.Errorf("reading what is to be signed: %w", err)
	}
	view := &signingView{Strict: t.Strict, Version: t.Version, Gone: t.Gone, Ceilings: t.Ceilings, Retired: t.Retired}
	for _, c := range t.Clips {
		view.Waiting = append(view.Waiting, signingRow{
			Title: c.Title, Href: fmt.Sprintf("/clips/%d", c.ID), Name: c.Name, Length: v.L.T("signing.seconds", fmt.Sprintf("%.0f", c.Duration().Seconds())), Text: c.Text,
		})
	}
	f.V = view
	return f, nil
}

// maxSigned bounds the import of a signed manifest with the form around it.
const maxSigned = seal.MaxDocument + 64<<10

// signingBundle hands out what is to be signed as one file.
func (s *Server) signingBundle(w http.ResponseWriter, r *http.Request, v *visit) error {
	if s.o.Keys == nil {
		return errNoPage
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	every := r.FormValue("every") == "yes"
	name := "gatecast-sign-" + v.Now.In(s.o.Zone).Format("20060102-1504") + ".zip"
	s.audit(r, v, fleet.AuditToSign, name, "")
	out := &zipFile{w: w, name: name}
	if err := s.o.Keys.Bundle(r.Context(), out, every, v.Now); err != nil {
		if out.begun {
			panic(http.ErrAbortHandler) // half a file must not look whole
		}
		return fmt.Errorf("exporting what is to be signed: %w", err)
	}
	return nil
}

// zipFile sends its headers with the first byte, so that an error before that
// is a page.
type zipFile struct {
	w     http.ResponseWriter
	name  string
	begun bool
}

// Write implements io.Writer.
func (d *zipFile) Write(p []byte) (int, error) {
	if !d.begun {
		d.begun = true
		d.w.Header().Set("Content-Type", "application/zip")
		d.w.Header().Set("Content-Disposition", `attachment; filename="`+d.name+`"`)
	}
	return d.w.Write(p)
}

// importSigned takes what gatecast sign wrote.
func (s *Server) importSigned(w http.ResponseWriter, r *http.Request, v *visit) error {
	if s.o.Keys == nil {
		return errNoPage
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxSigned)
	file, _, err := r.FormFile("signed")
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("signing.too_large"), TextEN: v.L.T("signing.too_large")}
	case err != nil:
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("signing.choose"), TextEN: v.L.T("signing.choose")}
	}
	defer file.Close()
	var data bytes.Buffer
	if _, err := io.Copy(&data, io.LimitReader(file, seal.MaxDocument+1)); err != nil {
		return fmt.Errorf("reading signed manifest: %w", err)
	}
	version, clips, err := s.o.Keys.TakeSigned(r.Context(), data.Bytes(), v.Now)
	if fleet.CodeOf(err) != fleet.Internal && err != nil {
		s.auditRefusal(r, v, fleet.Audit{What: fleet.AuditManifest, Object: "-", Detail: seal.Hash(data.Bytes())})
	}
	if err != nil {
		return err
	}
	s.auditLine(r, v, fleet.Audit{What: fleet.AuditManifest, Object: fmt.Sprint(version), Detail: fmt.Sprint(clips), After: seal.Hash(data.Bytes())})
	return redirect(w, r, "/signing?done=signed")
}
