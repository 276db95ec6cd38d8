package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/speech"
)

// Speech reads texts aloud. Refusals are *fleet.Errors.
type Speech interface {
	Ready() error // why it cannot, nil where it can
	Voice() string
	Speak(ctx context.Context, text string) ([]byte, error) // a WAV file
}

// Utterances keeps how clips were made here.
type Utterances interface {
	AddUtterance(ctx context.Context, u fleet.Utterance) error
	// Utterance returns how; fleet.NotFound for a clip that came as a file.
	Utterance(ctx context.Context, clip fleet.ClipID) (fleet.Utterance, error)
}

// speakRoutes are 文字转语音 and 录音: clips that are made here.
func (s *Server) speakRoutes(mux *http.ServeMux) {
	s.may(mux, fleet.ActUpload, "GET /clips/speak", s.speakPage)
	s.may(mux, fleet.ActUpload, "POST /clips/speak", s.speak)
	s.may(mux, fleet.ActUpload, "GET /clips/record", s.recordPage)
	s.may(mux, fleet.ActUpload, "POST /clips/record", s.record)
	s.may(mux, fleet.ActRead, "GET /speech/{id}", s.previewed)
}

// spokenView is a text to be read aloud as a form shows it.
type spokenView struct {
	Text     string
	Findings []findingRow
	Checked  bool // Findings are those of Text
	MayFix   bool // some come with what to write
	Length   string
	Sound    string // id of the preview; empty for none
	Missing  string // why nothing can be read here; empty where it can
	Voice    string
}

type findingRow struct {
	Text string
	Must bool
}

// spokenOf checks a text for a form that says so.
func (s *Server) spokenOf(v *visit, text string) spokenView {
	view := spokenView{Text: text, Length: v.L.T("speech.length", int(speech.Length(text)/time.Second)), Voice: s.o.Speech.Voice()}
	var missing *fleet.Error
	if errors.As(s.o.Speech.Ready(), &missing) {
		view.Missing = v.L.Error(missing)
	}
	return view
}

// checked adds what is to be known of the text.
func (view spokenView) checked(l *lang) spokenView {
	view.Checked = true
	for _, f := range speech.Check(view.Text) {
		key := "speech.rule." + string(f.Rule)
		if f.Suggest != "" {
			key += ".suggest"
			view.MayFix = true
		}
		view.Findings = append(view.Findings, findingRow{l.T(key, f.Text, f.Suggest), f.Must})
	}
	return view
}

// speakView is 文字转语音.
type speakView struct {
	Title, Shown string
	Spoken       spokenView
	Types        []option
	Audiences    []option
	Problem      string
}

func (s *Server) speakPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.showSpeak(w, r, v, http.StatusOK, speakView{Spoken: s.spokenOf(v, "")})
}

func (s *Server) showSpeak(w http.ResponseWriter, r *http.Request, v *visit, status int, view speakView) error {
	f, err := s.frame(r.Context(), v, r, "speak.title", "clips")
	if err != nil {
		return err
	}
	view.Types, view.Audiences = v.L.choices(scamTypes, r.FormValue("type")), v.L.choices(audiences, r.FormValue("audience"))
	f.V = view
	return s.show(w, status, "speak", f)
}

// speak checks a text, has it read for a preview, or keeps it as a draft. What
// was typed stays whatever happens.
func (s *Server) speak(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	text := strings.TrimSpace(r.FormValue("spoken"))
	view := speakView{Title: strings.TrimSpace(r.FormValue("title")), Shown: strings.TrimSpace(r.FormValue("text"))}
	if r.FormValue("do") == "fix" {
		text = speech.Fix(text)
	}
	view.Spoken = s.spokenOf(v, text).checked(v.L)
	id, wav, err := s.readAloud(r, v, text)
	view.Spoken.Sound = id
	keep := r.FormValue("do") == "keep"
	if keep && err == nil && view.Title == "" {
		err = &fleet.Error{Code: fleet.Invalid, Text: "请填写标题，方便在素材库里找到它。", TextEN: "Write a title, to find it in the library."}
	}
	if err == nil && keep {
		info := ClipInfo{Title: view.Title, ScamType: known(scamTypes, r.FormValue("type")), Audience: known(audiences, r.FormValue("audience")), Text: view.Shown, Source: fleet.SourceSpoken}
		var c fleet.Clip
		if c, err = s.keepSpoken(r, v, info, text, wav); err == nil {
			return redirect(w, r, clipPath(c.ID)+"?done=spoken")
		}
	}
	if err == nil || r.FormValue("do") == "fix" && fleet.CodeOf(err) == fleet.Invalid {
		return s.showSpeak(w, r, v, http.StatusOK, view)
	}
	var code fleet.Code
	view.Problem, _, code = s.userText(r, v, err)
	return s.showSpeak(w, r, v, statuses[code], view)
}

// readAloud returns the sound of a text and the id under which its preview is
// kept. A text that was read just now is not read again.
func (s *Server) readAloud(r *http.Request, v *visit, text string) (id string, wav []byte, err error) {
	sum := sha256.Sum256([]byte(s.o.Speech.Voice() + "\x00" + text))
	id = hex.EncodeToString(sum[:12])
	if wav, ok := s.previews.get(id, v.Now); ok {
		return id, wav, nil
	}
	if wav, err = s.o.Speech.Speak(r.Context(), text); err != nil {
		return "", nil, err
	}
	s.previews.put(id, wav, v.Now)
	return id, wav, nil
}

// keepSpoken makes a draft of what was read, marked as 合成语音.
func (s *Server) keepSpoken(r *http.Request, v *visit, info ClipInfo, text string, wav []byte) (fleet.Clip, error) {
	sum := sha256.Sum256(wav)
	if mark := v.L.T("speech.mark"); !strings.HasSuffix(info.Title, mark) {
		info.Title += mark
	}
	if info.Text == "" {
		info.Text = speech.Plain(text)
	}
	info.Name = "hecheng-" + hex.EncodeToString(sum[:4])
	return s.keepMade(r, v, info, wav, fleet.Utterance{Origin: fleet.Synthetic, Spoken: text, Voice: s.o.Speech.Voice()})
}

// keepMade takes what was made here in like an upload and keeps how it was made.
func (s *Server) keepMade(r *http.Request, v *visit, info ClipInfo, wav []byte, u fleet.Utterance) (fleet.Clip, error) {
	c, _, err := s.o.Media.Ingest(r.Context(), info.Name+".wav", bytes.NewReader(wav), info, v.User.Login)
	if err != nil {
		return c, err
	}
	u.Clip, u.At, u.By = c.ID, v.Now, v.User.Login
	if err := s.o.Utterances.AddUtterance(r.Context(), u); err != nil {
		return c, fmt.Errorf("keeping how clip %d was made: %w", c.ID, err)
	}
	s.audit(r, v, fleet.AuditClip, c.Title, string(u.Origin)+" "+c.SHA256)
	return c, nil
}

// previewed serves what was read aloud just now.
func (s *Server) previewed(w http.ResponseWriter, r *http.Request, v *visit) error {
	wav, ok := s.previews.get(r.PathValue("id"), v.Now)
	if !ok {
		return &fleet.Error{Code: fleet.NotFound, Text: "这段试听已经过期，请再点一次试听。", TextEN: "This preview is gone. Press listen again."}
	}
	w.Header().Set("Content-Type", "audio/wav")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(wav))
	return nil
}
