package web

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// listening are the policies of the few pages that record: the microphone, and
// the recording that is still in the browser.
func listening(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", strings.Replace(policy, "media-src 'self'", "media-src 'self' blob:", 1))
	h.Set("Permissions-Policy", strings.Replace(features, "microphone=()", "microphone=(self)", 1))
}

// recordView is 录音.
type recordView struct {
	Title, Shown string
	Types        []option
	Audiences    []option
	Problem      string
}

func (s *Server) recordPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.showRecord(w, r, v, http.StatusOK, recordView{})
}

func (s *Server) showRecord(w http.ResponseWriter, r *http.Request, v *visit, status int, view recordView) error {
	f, err := s.frame(r.Context(), v, r, "record.title", "clips")
	if err != nil {
		return err
	}
	view.Types, view.Audiences = v.L.choices(scamTypes, r.FormValue("type")), v.L.choices(audiences, r.FormValue("audience"))
	f.V = view
	listening(w)
	return s.show(w, status, "record", f)
}

// record keeps what a browser recorded, or a file of the phone's own recorder,
// as a draft.
func (s *Server) record(w http.ResponseWriter, r *http.Request, v *visit) error {
	sound, err := takeSound(w, r, v)
	view := recordView{Title: strings.TrimSpace(r.FormValue("title")), Shown: strings.TrimSpace(r.FormValue("text"))}
	if err == nil && view.Title == "" {
		err = &fleet.Error{Code: fleet.Invalid, Text: "请填写标题，方便在素材库里找到它。", TextEN: "Write a title, to find it in the library."}
	}
	if err == nil {
		var c fleet.Clip
		c, err = s.keepRecorded(r, v, ClipInfo{
			Title: view.Title, ScamType: known(scamTypes, r.FormValue("type")), Audience: known(audiences, r.FormValue("audience")), Text: view.Shown,
		}, sound)
		if err == nil {
			return redirect(w, r, clipPath(c.ID)+"?done=recorded")
		}
	}
	var code fleet.Code
	view.Problem, _, code = s.userText(r, v, err)
	return s.showRecord(w, r, v, statuses[code], view)
}

// keepRecorded makes a draft of a recording.
func (s *Server) keepRecorded(r *http.Request, v *visit, info ClipInfo, sound []byte) (fleet.Clip, error) {
	sum := sha256.Sum256(sound)
	info.Name = "luyin-" + hex.EncodeToString(sum[:4])
	return s.keepMade(r, v, info, sound, fleet.Utterance{Origin: fleet.Recorded})
}

// maxSound bounds a recording; ten minutes at 48 kHz are 58 MB.
const maxSound = 60 << 20

// takeSound reads a form with one file of sound, field "file". A form without
// one is a *fleet.Error.
func takeSound(w http.ResponseWriter, r *http.Request, v *visit) ([]byte, error) {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(uploadTimeout)) // not every writer has deadlines
	_ = rc.SetWriteDeadline(time.Now().Add(uploadTimeout))
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "multipart/form-data" {
		return nil, &fleet.Error{Code: fleet.Invalid, Text: v.L.T("upload.no_form"), TextEN: v.L.T("upload.no_form")}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxSound+maxForm)
	if err := r.ParseMultipartForm(8 << 20); err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return nil, &fleet.Error{Code: fleet.Invalid, Text: "文件太大，请剪短后再传。", TextEN: "The file is too large. Make it shorter.", Err: err}
		}
		return nil, &fleet.Error{Code: fleet.Invalid, Text: v.L.T("upload.no_form"), TextEN: v.L.T("upload.no_form"), Err: err}
	}
	defer r.MultipartForm.RemoveAll()
	return soundOf(r.MultipartForm)
}

func soundOf(form *multipart.Form) ([]byte, error) {
	for _, head := range form.File["file"] {
		if head.Size == 0 {
			continue
		}
		f, err := head.Open()
		if err != nil {
			return nil, fmt.Errorf("opening recording: %w", err)
		}
		defer f.Close()
		data, err := io.ReadAll(f)
		if err != nil {
			return nil, fmt.Errorf("reading recording: %w", err)
		}
		return data, nil
	}
	return nil, &fleet.Error{Code: fleet.Invalid, Text: "还没有录音：请先按“开始录音”，或选一个录音文件。", TextEN: "There is no recording yet: press record, or choose a file."}
}
