package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gatecast/controller/bulletin"
	"gatecast/controller/fleet"
)

// formRefusal is what a form says by itself: what was typed is wrong, or is no
// longer so. It is nil for other errors and none.
func formRefusal(err error) *fleet.Error {
	if refused := (*fleet.Error)(nil); errors.As(err, &refused) && (refused.Code == fleet.Invalid || refused.Code == fleet.Conflict) {
		return refused
	}
	return nil
}

// bulletinView is one bulletin: the paper, and what may be done with it.
type bulletinView struct {
	ID           fleet.BulletinID
	Path, Shelf  string
	Kind         fleet.BulletinKind
	Title, Lead  string
	State        deviceState
	Problem      string
	Paper        paperView
	Version      int
	Returned     string // who sent it back, when and why
	MayWrite     bool
	MaySign      bool
	Waits        string // why the reader may not take the next step
	Texts        []bulletinText
	Subject      string
	Units        []option
	Seen         string // of what the paper says, for the signer
	Number       string // as typed, or the next
	Total        string
	Reason       string
	Issued       string // by whom and when
	SHA256       string
	Live         string // the same period in the ledger
	Sealed       string // the publication of its sums
	Offer        *bulletin.Offer
	MayCorrect   bool
	Corrections  []correctionView
	Docx, XLSX   string
	HasTables    bool
	Confidential bool
}

type bulletinText struct{ Name, Title, Text string }

type correctionView struct {
	Number, At, By, Printed string
	Changes                 []fleet.BulletinChange
	Slots                   []string
}

// paperView is the paper as it is printed.
type paperView struct {
	Masthead, Number, Issuer, Date, Title, Period, Signer, Copies string
	Parts                                                         [][]fleet.BulletinChapter // two narrow chapters stand side by side
	Tails                                                         []string
	Tight                                                         bool // set closer, so that a week of eight units fits two pages
}

// Paragraphs parts a typed text.
func (paperView) Paragraphs(text string) []string { return bulletin.Paragraphs(text) }

// Words reports whether column i of t holds words.
func (paperView) Words(t fleet.BulletinTable, i int) bool { return i >= len(t.Head)-t.Words }

// Last reports whether row i of t is its sum.
func (paperView) Last(t fleet.BulletinTable, i int) bool { return t.Sum && i == len(t.Rows)-1 }

// Closing reports whether line i is the last of the distribution.
func (p paperView) Closing(i int) bool { return i == len(p.Tails)-1 }

func newPaper(c fleet.BulletinContent) paperView {
	p := paperView{Tight: c.Kind == fleet.WeeklyBulletin, Masthead: c.Masthead, Title: c.Title, Period: c.Period}
	if c.Signer != "" {
		p.Signer = "签发人：" + c.Signer
	}
	p.Number, p.Issuer, p.Date = bulletin.Heads(c)
	p.Tails, p.Copies = bulletin.Tails(c)
	for i := 0; i < len(c.Chapters); i++ {
		part := []fleet.BulletinChapter{c.Chapters[i]}
		if i+1 < len(c.Chapters) && narrow(c.Chapters[i]) && narrow(c.Chapters[i+1]) {
			i++
			part = append(part, c.Chapters[i])
		}
		p.Parts = append(p.Parts, part)
	}
	return p
}

// narrow reports whether a chapter is one small table.
func narrow(c fleet.BulletinChapter) bool {
	return len(c.Tables) == 1 && len(c.Tables[0].Head) <= 5 && c.Text == "" && len(c.Facts) == 0 && len(c.Notes) == 0
}

// bulletinOf reads the one that the path names, if it stands on the shelf.
func (s *Server) bulletinOf(r *http.Request, h shelf) (fleet.Bulletin, error) {
	n, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || n < 1 {
		return fleet.Bulletin{}, errNoPage
	}
	b, err := s.o.BulletinBook.Bulletin(r.Context(), fleet.BulletinID(n))
	if fleet.CodeOf(err) == fleet.NotFound || err == nil && !slices.Contains(h.kinds, b.Kind) {
		return b, errNoPage
	}
	if err != nil {
		return b, fmt.Errorf("reading bulletin %d: %w", n, err)
	}
	return b, nil
}

func (s *Server) showBulletin(w http.ResponseWriter, r *http.Request, v *visit, h shelf) error {
	b, err := s.bulletinOf(r, h)
	if err != nil {
		return err
	}
	if err := s.reportRead(r, v, b, "page"); err != nil {
		return err
	}
	return s.bulletinPage(w, r, v, h, b, "", http.StatusOK)
}

// reportRead tells the audit that a report of the team was read; without the
// line nothing is shown.
func (s *Server) reportRead(r *http.Request, v *visit, b fleet.Bulletin, form string) error {
	if b.Kind != fleet.TeamReport {
		return nil
	}
	if err := s.o.Audit.AddAudit(r.Context(), byline(r, v, fleet.Audit{What: fleet.AuditReportRead, Object: bulletinObject(b), Detail: form})); err != nil {
		return fmt.Errorf("telling of a report that was read: %w", err)
	}
	return nil
}

// bulletinPage shows b; with a problem, what was typed stands where it did.
func (s *Server) bulletinPage(w http.ResponseWriter, r *http.Request, v *visit, h shelf, b fleet.Bulletin, problem string, status int) error {
	ctx, l := r.Context(), v.L
	f, err := s.frame(ctx, v, r, "", "weekly")
	if err != nil {
		return err
	}
	c, err := s.o.Bulletins.Compose(ctx, b, v.Now)
	if err != nil {
		return fmt.Errorf("composing bulletin %d: %w", b.ID, err)
	}
	view := &bulletinView{
		ID: b.ID, Path: h.at(b.ID), Shelf: h.path, Kind: b.Kind, Title: l.bulletinTitle(b), State: l.bulletinState(b.State), Problem: problem, Paper: newPaper(c), Version: b.Version,
		MayWrite: bulletin.MayWrite(v.User, b), MaySign: bulletin.MaySign(v.User, b), Confidential: h.team(), SHA256: b.SHA256,
		Docx: h.at(b.ID) + "/docx", XLSX: h.at(b.ID) + "/xlsx", Reason: r.PostFormValue("reason"), Subject: b.Subject,
	}
	for _, ch := range c.Chapters {
		view.HasTables = view.HasTables || len(ch.Tables) > 0
	}
	view.Lead = l.T("bulletin.lead." + string(b.Kind))
	if b.Kind == fleet.WeeklyBulletin {
		view.Live = complianceFilter{From: b.From, To: b.To}.link()
	}
	if !b.Returned.IsZero() && b.State == fleet.BulletinDraft {
		view.Returned = l.T("bulletin.returned", b.ReturnedBy, l.Stamp(b.Returned, v.Now), b.Reason)
	}
	switch {
	case b.State == fleet.BulletinIssued:
		view.Issued = l.T("bulletin.issued", signer(b.IssuedName, b.IssuedBy), l.in(b.Issued).Format("2006-01-02 15:04"))
		if b.Publication != 0 {
			view.Sealed = publicationPath(b.Publication)
		}
		if err := s.bulletinOffer(r, v, b, view); err != nil {
			return err
		}
	case view.MaySign:
		if view.Seen, err = bulletin.Seal(c); err != nil {
			return err
		}
		number, total, err := s.o.BulletinBook.NextBulletin(ctx, b.Kind, l.in(v.Now).Year())
		if err != nil {
			return fmt.Errorf("reading numbers: %w", err)
		}
		view.Number, view.Total = strconv.Itoa(number), strconv.Itoa(total)
		if typed := r.PostFormValue("number"); typed != "" {
			view.Number, view.Total = typed, r.PostFormValue("total")
		}
	case b.State == fleet.BulletinSubmitted && fleet.May(v.User.Role, fleet.ActApprove):
		view.Waits = l.T("bulletin.waits.other")
	case b.State == fleet.BulletinSubmitted:
		view.Waits = l.T("bulletin.waits.signer", b.SubmittedBy, l.Stamp(b.Submitted, v.Now))
	}
	if view.MayWrite {
		typed := b.Texts
		if r.PostFormValue("edit") != "" {
			typed, view.Subject, b.Units = textsOf(r, b.Kind), r.PostFormValue("subject"), chosenUnits(r)
		}
		for _, name := range fleet.BulletinTexts(b.Kind) {
			view.Texts = append(view.Texts, bulletinText{Name: name, Title: l.T("chapter." + name), Text: typed[name]})
		}
		if b.Kind != fleet.WeeklyBulletin {
			if view.Units, err = s.unitChoices(ctx, b.Units); err != nil {
				return err
			}
		}
	}
	f.Title, f.Paper, f.V = view.Title, true, view
	return s.show(w, status, "bulletin", f)
}

// bulletinOffer adds the corrections of an issue, and what another would say.
func (s *Server) bulletinOffer(r *http.Request, v *visit, b fleet.Bulletin, view *bulletinView) error {
	o, err := s.o.Bulletins.Offer(r.Context(), b, v.Now)
	if err != nil {
		return fmt.Errorf("comparing bulletin %d: %w", b.ID, err)
	}
	if !o.Empty() {
		view.Offer = &o
	}
	view.MayCorrect = fleet.May(v.User.Role, fleet.ActApprove)
	for _, c := range o.Given {
		cv := correctionView{Number: v.L.T("bulletin.correction", c.Year, c.Number), At: v.L.Stamp(c.At, v.Now), By: signer(c.Name, c.By), Changes: c.Changes, Slots: c.Slots, Printed: v.L.T("bulletin.correction.next")}
		if c.PrintedIn != 0 {
			in, err := s.o.BulletinBook.Bulletin(r.Context(), c.PrintedIn)
			if err != nil {
				return fmt.Errorf("reading bulletin %d: %w", c.PrintedIn, err)
			}
			cv.Printed = v.L.T("bulletin.correction.printed", v.L.bulletinTitle(in))
		}
		view.Corrections = append(view.Corrections, cv)
	}
	return nil
}

func textsOf(r *http.Request, k fleet.BulletinKind) map[string]string {
	texts := map[string]string{}
	for _, name := range fleet.BulletinTexts(k) {
		texts[name] = r.PostFormValue("text." + name)
	}
	return texts
}

// bulletinStep takes one step with a bulletin; a refusal is shown on its page, with what
// was typed.
func (s *Server) bulletinStep(w http.ResponseWriter, r *http.Request, v *visit, h shelf, a fleet.Audit, done string, take func(r *http.Request, b fleet.Bulletin) error) error {
	b, err := s.bulletinOf(r, h)
	if err != nil {
		return err
	}
	a.Object = bulletinObject(b)
	ctx, line := s.withAudit(r, v, a)
	err = take(r.WithContext(ctx), b)
	if refused := formRefusal(err); refused != nil {
		if err := s.reportRead(r, v, b, "page"); err != nil {
			return err
		}
		return s.bulletinPage(w, r, v, h, b, v.L.Error(refused), statuses[refused.Code])
	}
	if err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, h.at(b.ID)+"?"+url.Values{"done": {done}}.Encode())
}

func formVersion(r *http.Request) int {
	n, _ := strconv.Atoi(r.FormValue("version")) // what is no number is no version there is
	return n
}

func (s *Server) editBulletin(w http.ResponseWriter, r *http.Request, v *visit, h shelf) error {
	old, err := s.bulletinOf(r, h)
	if err != nil {
		return err
	}
	a := fleet.Audit{What: fleet.AuditBulletinEdit}
	texts := textsOf(r, old.Kind)
	if !h.team() {
		var before, after []string
		for _, name := range fleet.BulletinTexts(old.Kind) {
			if text := strings.TrimSpace(strings.ReplaceAll(texts[name], "\r\n", "\n")); text != old.Texts[name] {
				before, after = append(before, name, old.Texts[name]), append(after, name, text)
			}
		}
		a.Before, a.After = fleet.Fields(before...), fleet.Fields(after...)
	}
	return s.bulletinStep(w, r, v, h, a, "bulletin_saved", func(r *http.Request, b fleet.Bulletin) error {
		b.Texts, b.Version = texts, formVersion(r)
		if b.Kind != fleet.WeeklyBulletin {
			b.Subject, b.Units = r.PostFormValue("subject"), chosenUnits(r)
		}
		return s.o.Bulletins.Edit(r.Context(), v.User, b)
	})
}

func (s *Server) submitBulletin(w http.ResponseWriter, r *http.Request, v *visit, h shelf) error {
	return s.bulletinStep(w, r, v, h, fleet.Audit{What: fleet.AuditBulletinSubmit}, "bulletin_submitted", func(r *http.Request, b fleet.Bulletin) error {
		return s.o.Bulletins.Submit(r.Context(), v.User, b.ID, formVersion(r), v.Now)
	})
}

func (s *Server) returnBulletin(w http.ResponseWriter, r *http.Request, v *visit, h shelf) error {
	a := fleet.Audit{What: fleet.AuditBulletinReturn}
	if !h.team() {
		a.Detail = r.PostFormValue("reason")
	}
	return s.bulletinStep(w, r, v, h, a, "bulletin_returned", func(r *http.Request, b fleet.Bulletin) error {
		return s.o.Bulletins.Return(r.Context(), v.User, b.ID, formVersion(r), r.PostFormValue("reason"), v.Now)
	})
}

func (s *Server) signBulletin(w http.ResponseWriter, r *http.Request, v *visit, h shelf) error {
	return s.bulletinStep(w, r, v, h, fleet.Audit{What: fleet.AuditBulletinIssue}, "bulletin_issued", func(r *http.Request, b fleet.Bulletin) error {
		sig := bulletin.Signature{Version: formVersion(r), Seen: r.PostFormValue("seen")}
		var errNumber, errTotal error
		sig.Number, errNumber = strconv.Atoi(strings.TrimSpace(r.PostFormValue("number")))
		sig.Total, errTotal = strconv.Atoi(strings.TrimSpace(r.PostFormValue("total")))
		if errNumber != nil || errTotal != nil || sig.Number < 1 || sig.Total < 1 || r.PostFormValue("checked") != "yes" {
			return &fleet.Error{Code: fleet.Invalid, Text: s.langs["zh"].T("bulletin.error.sign"), TextEN: s.langs["en"].T("bulletin.error.sign")}
		}
		_, err := s.o.Bulletins.Sign(r.Context(), v.User, b.ID, sig, v.Now)
		return err
	})
}

func (s *Server) correctBulletin(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	return s.bulletinStep(w, r, v, officeShelf, fleet.Audit{What: fleet.AuditBulletinCorrect}, "bulletin_corrected", func(r *http.Request, b fleet.Bulletin) error {
		if r.PostFormValue("checked") != "yes" {
			return &fleet.Error{Code: fleet.Invalid, Text: s.langs["zh"].T("bulletin.error.correct"), TextEN: s.langs["en"].T("bulletin.error.correct")}
		}
		_, err := s.o.Bulletins.Correct(r.Context(), v.User, b.ID, r.PostFormValue("seen"), v.Now)
		return err
	})
}

const docxType = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

func (s *Server) bulletinDocx(w http.ResponseWriter, r *http.Request, v *visit, h shelf) error {
	return s.bulletinFile(w, r, v, h, "docx", docxType, bulletin.WriteDocx)
}

func (s *Server) bulletinXLSX(w http.ResponseWriter, r *http.Request, v *visit, h shelf) error {
	return s.bulletinFile(w, r, v, h, "xlsx", xlsxType, bulletin.WriteXLSX)
}

// bulletinFile hands a bulletin out, named as an office files it.
func (s *Server) bulletinFile(w http.ResponseWriter, r *http.Request, v *visit, h shelf, ext, kind string, write func(io.Writer, fleet.BulletinContent) error) error {
	b, err := s.bulletinOf(r, h)
	if err != nil {
		return err
	}
	c, err := s.o.Bulletins.Compose(r.Context(), b, v.Now)
	if err != nil {
		return fmt.Errorf("composing bulletin %d: %w", b.ID, err)
	}
	if err := s.reportRead(r, v, b, ext); err != nil {
		return err
	}
	number, _, _ := bulletin.Heads(c)
	download(w, kind, strings.Map(func(c rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, c) {
			return '-'
		}
		return c
	}, c.Masthead+number+"."+ext))
	if err := write(w, c); err != nil {
		s.cutOff("bulletin", err)
	}
	return nil
}
