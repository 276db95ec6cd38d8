package web

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
	"unicode"

	"gatecast/controller/fleet"
)

// Limits of one submission. Each file has the limit of media besides.
const (
	maxFiles      = 20
	maxUpload     = 600 << 20
	maxField      = 8 << 10
	uploadTimeout = 30 * time.Minute // for slow lines; each read may take as long as it needs within it
)

// uploadResult is what became of one file.
type uploadResult struct {
	File  string
	OK    bool
	Text  string // why it was refused; empty when it was taken
	Notes []string
	Title string
	Href  string
	Said  string // length and loudness of what was taken
	Did   string // what was done with a clip that was there; empty for an upload
	Voice bool   // it was a WeChat voice message: there is a guide
	Reel  string // it is too long and was kept: the path of its page
}

// uploadClips takes the files of a form one after the other as they arrive.
// Each is taken or refused by itself, and submitted for approval unless the
// form says that it is to stay a draft; the page after it names every one.
func (s *Server) uploadClips(w http.ResponseWriter, r *http.Request, v *visit) error {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(uploadTimeout)) // not every writer has deadlines
	_ = rc.SetWriteDeadline(time.Now().Add(uploadTimeout))
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	parts, err := r.MultipartReader()
	if err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("upload.no_form"), TextEN: v.L.T("upload.no_form"), Err: err}
	}
	var info ClipInfo
	var results []uploadResult
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			results = append(results, uploadResult{Text: v.L.T("upload.cut")})
			break
		}
		if part.FileName() == "" {
			if err := readField(part, &info); err != nil {
				return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("upload.no_form"), TextEN: v.L.T("upload.no_form"), Err: err}
			}
			continue
		}
		if len(results) == maxFiles {
			results = append(results, uploadResult{File: baseName(part.FileName()), Text: v.L.T("upload.many", maxFiles)})
			break
		}
		results = append(results, s.uploadOne(r, v, part, info))
		info.Name, info.Title, info.Text = "", "", "" // they belong to the first file
	}
	if len(results) == 0 {
		results = append(results, uploadResult{Text: v.L.T("upload.none")})
	}
	return redirect(w, r, "/clips?upload="+s.results.put(results, v.User.ID, v.Now))
}

// readField takes one of the form's words, which come before the files.
func readField(part *multipart.Part, info *ClipInfo) error {
	data, err := io.ReadAll(io.LimitReader(part, maxField+1))
	if err != nil {
		return fmt.Errorf("reading field %q: %w", part.FormName(), err)
	}
	text := strings.TrimSpace(strings.ToValidUTF8(string(data), ""))
	if len(data) > maxField {
		return fmt.Errorf("field %q is over %d bytes", part.FormName(), maxField)
	}
	info.set(part.FormName(), text)
	return nil
}

// set takes one of the form's words; what it does not know it leaves.
func (info *ClipInfo) set(field, text string) {
	text = strings.TrimSpace(strings.ToValidUTF8(text, ""))
	if len(text) > maxField {
		return
	}
	switch field {
	case "title":
		info.Title = text
	case "name":
		info.Name = text
	case "type":
		info.ScamType = known(fleet.ScamTypes, text)
	case "audience":
		info.Audience = known(fleet.Audiences, text)
	case "text":
		info.Text = text
	case "spoken":
		info.Spoken = text
	case "from":
		info.ValidFrom = fleet.Day(text)
	case "until":
		info.ValidUntil = fleet.Day(text)
	}
}

func (s *Server) uploadOne(r *http.Request, v *visit, part *multipart.Part, info ClipInfo) uploadResult {
	res, _ := s.takeUpload(r, v, baseName(part.FileName()), part, info, r.URL.Query().Get("keep") == "draft")
	return res
}

// takeUpload reads one file and says what became of it. An error is told in the
// result already.
func (s *Server) takeUpload(r *http.Request, v *visit, file string, data io.Reader, info ClipInfo, draft bool) (uploadResult, error) {
	res := uploadResult{File: file}
	if info.Title == "" {
		info.Title = strings.TrimSuffix(res.File, path.Ext(res.File))
	}
	switch {
	case info.First != 0: // a new version is called after the first one
	case info.Name == "":
		info.Name = clipName(info.Title)
	case info.Name != clipName(info.Name):
		res.Text = v.L.T("upload.name", info.Name, clipName(info.Name))
		return res, &fleet.Error{Code: fleet.Invalid, Text: res.Text, TextEN: res.Text}
	}
	c, notes, err := s.o.Media.Ingest(r.Context(), res.File, data, info, v.User.Login)
	if err != nil {
		s.refuse(r, v, &res, err)
		return res, err
	}
	s.audit(r, v, fleet.AuditClip, c.Title, c.SHA256)
	res.OK, res.Title, res.Href = true, c.Title, clipPath(c.ID)
	res.Said = v.L.T("upload.said", v.L.Length(c.Duration()), signed(c.LUFS), signed(c.LUFS+c.GainDB))
	if !draft {
		res.Notes = append(res.Notes, s.submitUpload(r, v, c))
	}
	for _, n := range notes {
		res.Notes = append(res.Notes, v.L.Error(&fleet.Error{Text: n.Text, TextEN: n.TextEN}))
	}
	return res, nil
}

// refuse puts into res why a file was not taken, and what there is to do.
func (s *Server) refuse(r *http.Request, v *visit, res *uploadResult, err error) {
	text, ref, _ := s.userText(r, v, err)
	if res.Text = text; ref != "" {
		res.Text += v.L.T("error.ref", ref)
	}
	var told *fleet.Error
	if !errors.As(err, &told) {
		return
	}
	res.Voice = told.Topic == fleet.TopicVoice
	id, ok := told.Topic.Reel()
	if !ok {
		return
	}
	x, err := s.o.Reels.Reel(r.Context(), id)
	if err != nil {
		s.o.Logger.Error("reading a recording that was kept", "reel", int64(id), "err", err)
		return
	}
	s.audit(r, v, fleet.AuditReel, x.File, x.Original)
	res.Reel, res.Text = reelPath(id), s.overLong(r.Context(), v, x.Duration)
}

// submitUpload submits what was just uploaded and says what became of that.
// The same audio may have been here before, and stand anywhere.
func (s *Server) submitUpload(r *http.Request, v *visit, c fleet.Clip) string {
	if c.State == fleet.ClipSubmitted || c.State == fleet.ClipApproved {
		return v.L.T("upload.known", v.L.T("clip.state."+string(c.State)))
	}
	d := s.decision(r, v, fleet.StepSubmit)
	_, err := s.decide(r, v, c, d)
	if err != nil {
		text, ref, _ := s.userText(r, v, err)
		if ref != "" {
			text += v.L.T("error.ref", ref)
		}
		return v.L.T("upload.unsubmitted", text)
	}
	return v.L.T("upload.submitted")
}

// baseName is the file's own name; some browsers send the path with it.
func baseName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if r := []rune(strings.ToValidUTF8(name, "")); len(r) > 120 {
		return string(r[:120])
	}
	return name
}

// clipName makes the short name that programmes write: letters and digits of
// any script, joined by single dashes, in lower case.
func clipName(title string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(title) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
			dash = false
		default:
			dash = true
		}
		if b.Len() > 90 {
			break
		}
	}
	if b.Len() == 0 {
		return "clip"
	}
	return b.String()
}

// results keeps what became of uploads for the page after the redirect: a
// short while, in memory, for the user who sent them.
type results struct {
	mu   sync.Mutex
	kept map[string]keptResults
}

type keptResults struct {
	list []uploadResult
	user fleet.UserID
	at   time.Time
}

const (
	resultsKept   = 200
	resultsFor    = 15 * time.Minute
	resultsListed = 200
)

func newResults() *results { return &results{kept: map[string]keptResults{}} }

func (u *results) put(list []uploadResult, user fleet.UserID, now time.Time) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.keep(list, user, now)
}

// add puts one more behind those of id, which the same user sent a short while
// ago, and returns where it is.
func (u *results) add(id string, one uploadResult, user fleet.UserID, now time.Time) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, ok := u.kept[id]
	if !ok || r.user != user || now.Sub(r.at) > resultsFor || len(r.list) >= resultsListed {
		return u.keep([]uploadResult{one}, user, now)
	}
	u.kept[id] = keptResults{append(r.list[:len(r.list):len(r.list)], one), user, now}
	return id
}

// keep stores a list under a new id; u.mu is held.
func (u *results) keep(list []uploadResult, user fleet.UserID, now time.Time) string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	id := hex.EncodeToString(b[:])
	oldest, at := "", now
	for k, r := range u.kept {
		if now.Sub(r.at) > resultsFor {
			delete(u.kept, k)
		} else if !r.at.After(at) {
			oldest, at = k, r.at
		}
	}
	if len(u.kept) >= resultsKept {
		delete(u.kept, oldest)
	}
	u.kept[id] = keptResults{list, user, now}
	return id
}

func (u *results) get(id string, user fleet.UserID, now time.Time) []uploadResult {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, ok := u.kept[id]
	if !ok || r.user != user || now.Sub(r.at) > resultsFor {
		return nil
	}
	return r.list
}
