package web

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
	"gatecast/internal/evidence"
)

// SlipSigner puts the controller's signature under what is handed out.
type SlipSigner interface {
	// SealSlip signs s and returns the file that lies beside the table.
	SealSlip(s *evidence.Slip) ([]byte, error)
}

// Slips keeps what was handed out.
type Slips interface {
	AddHandedOut(ctx context.Context, x fleet.HandedOut) error
	// HandedOut returns files with text in code, title, name or login, the newest
	// first, without slips, and how many there are.
	HandedOut(ctx context.Context, text string, limit, offset int) ([]fleet.HandedOut, int, error)
	// SlipOf returns what was handed out under a code, with its slip.
	SlipOf(ctx context.Context, code string) (fleet.HandedOut, error)
}

// paperRoutes are the registers and what was handed out.
func (s *Server) paperRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/papers", "papers", s.papers)
	s.may(mux, fleet.ActRead, "GET /papers/slips/{code}", s.slip)
}

// newSlipCode returns a code of 60 random bits, as people can type it.
func newSlipCode() string {
	t := rand.Text()
	return t[:4] + "-" + t[4:8] + "-" + t[8:12]
}

// handOut sends a workbook, or the only page as CSV, with a code in its first
// line, and keeps the slip that proves every byte of it. The slip is on disk
// before the first byte is sent. Pages are not changed.
func (s *Server) handOut(w http.ResponseWriter, r *http.Request, v *visit, title string, pages []sheet.Page, name, as string) error {
	code := newSlipCode()
	line := v.L.T("papers.code", code)
	pages = slices.Clone(pages)
	for i := range pages {
		pages[i].Above = append([]string{line}, pages[i].Above...)
	}
	var file bytes.Buffer
	kind, err := xlsxType, error(nil)
	if as == "csv" && len(pages) == 1 {
		kind, name = "text/csv; charset=utf-8", name+".csv"
		err = sheet.WriteCSV(&file, pages[0])
	} else {
		name += ".xlsx"
		err = sheet.WriteXLSX(&file, pages...)
	}
	if err != nil {
		return err
	}
	sum, size, err := evidence.Sum(bytes.NewReader(file.Bytes()))
	if err != nil {
		return fmt.Errorf("hashing %q: %w", name, err)
	}
	slip, err := s.o.SlipSigner.SealSlip(&evidence.Slip{Code: code, Office: s.o.Name, File: name, Title: title, By: v.User.Login, Size: size, SHA256: sum})
	if err != nil {
		return fmt.Errorf("signing the slip of %q: %w", name, err)
	}
	x := fleet.HandedOut{Code: code, Made: v.Now, By: v.User.Login, Title: title, File: name, Size: size, SHA256: sum, Slip: slip}
	if err := s.o.Slips.AddHandedOut(r.Context(), x); err != nil {
		return err
	}
	download(w, kind, name)
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	w.Header().Set("Link", "<"+slipPath(code)+`>; rel="describedby"`)
	_, _ = w.Write(file.Bytes()) // a client that left downloads again
	return nil
}

func slipPath(code string) string { return "/papers/slips/" + code }

// slip sends the slip that belongs beside a file.
func (s *Server) slip(w http.ResponseWriter, r *http.Request, _ *visit) error {
	x, err := s.o.Slips.SlipOf(r.Context(), strings.ToUpper(r.PathValue("code")))
	if err != nil {
		return err
	}
	download(w, "application/json", x.File+evidence.SlipSuffix)
	_, _ = w.Write(x.Slip)
	return nil
}

// papersView is 登记表: the registers, and the files that were handed out.
type papersView struct {
	Query string
	Rows  []paperRow
	Total int
	Pager pager
}

type paperRow struct{ Code, Title, File, At, By, Size, Slip string }

const papersPerPage = 50

func (s *Server) papers(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "papers.title", "weekly")
	if err != nil {
		return f, err
	}
	q := r.URL.Query()
	view := &papersView{Query: strings.TrimSpace(q.Get("q"))}
	page := 1
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 1 && n < 1_000_000 {
		page = n
	}
	rows, all, err := s.o.Slips.HandedOut(ctx, view.Query, papersPerPage, (page-1)*papersPerPage)
	if err != nil {
		return f, err
	}
	link := func(page int) string {
		return "/papers?" + url.Values{"q": {view.Query}, "page": {strconv.Itoa(page)}}.Encode()
	}
	view.Total, view.Pager = all, pager{Page: page, Pages: max(1, (all+papersPerPage-1)/papersPerPage)}
	if page > 1 {
		view.Pager.Previous = link(page - 1)
	}
	if page < view.Pager.Pages {
		view.Pager.Next = link(page + 1)
	}
	for _, x := range rows {
		view.Rows = append(view.Rows, paperRow{
			Code: x.Code, Title: x.Title, File: x.File, At: v.L.Stamp(x.Made, v.Now), By: x.By, Size: fmt.Sprintf("%d KB", cmp.Or((x.Size+999)/1000, 1)), Slip: slipPath(x.Code),
		})
	}
	f.V = view
	return f, nil
}
