package web

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"gatecast/controller/fleet"
)

// transferRoutes are uploads piece by piece. A script sends them: POST announces
// a file, PATCH adds bytes at Upload-Offset, HEAD asks how far it is after a
// connection broke, and the finish takes the whole file as the plain form does.
func (s *Server) transferRoutes(mux *http.ServeMux) {
	s.may(mux, fleet.ActUpload, "POST /uploads", s.transfer(s.beginUpload))
	s.may(mux, fleet.ActUpload, "GET /uploads/{part}", s.transfer(s.askUpload))
	s.may(mux, fleet.ActUpload, "PATCH /uploads/{part}", s.transfer(s.appendUpload))
	s.may(mux, fleet.ActUpload, "POST /uploads/{part}/finish", s.transfer(s.finishUpload))
	s.may(mux, fleet.ActUpload, "DELETE /uploads/{part}", s.transfer(s.dropUpload))
}

const (
	maxPiece  = 8 << 20         // bytes of one PATCH
	pieceTime = 2 * time.Minute // it may take; what arrived until then stays
)

// transferReply is what a script gets.
type transferReply struct {
	ID    string `json:"id,omitempty"`
	Have  int64  `json:"have"`            // bytes that have arrived
	Batch string `json:"batch,omitempty"` // of results, for the page after the last file
	OK    bool   `json:"ok"`
	Text  string `json:"text,omitempty"` // for the user: what is wrong, or what was taken
}

// transfer answers a script: errors are JSON with the user's sentence.
func (s *Server) transfer(h func(w http.ResponseWriter, r *http.Request, v *visit) (transferReply, error)) handler {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		reply, err := h(w, r, v)
		status := http.StatusOK
		if err != nil {
			if r.Context().Err() != nil {
				return nil // the sender is gone
			}
			text, ref, code := s.userText(r, v, err)
			if ref != "" {
				text += v.L.T("error.ref", ref)
			}
			reply.OK, reply.Text, status = false, text, statuses[code]
		}
		w.Header().Set("Upload-Offset", strconv.FormatInt(reply.Have, 10))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(reply) // the sender may have gone
		return nil
	}
}

func (s *Server) beginUpload(w http.ResponseWriter, r *http.Request, v *visit) (transferReply, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	size, err := strconv.ParseInt(r.FormValue("size"), 10, 64)
	if err != nil {
		return transferReply{}, &fleet.Error{Code: fleet.Invalid, Text: v.L.T("upload.no_form"), TextEN: v.L.T("upload.no_form"), Err: err}
	}
	x, err := s.o.Transfers.Begin(v.User.Login, baseName(r.FormValue("file")), r.FormValue("mark"), size)
	return transferReply{ID: x.ID, Have: x.Have, OK: err == nil}, err
}

func (s *Server) askUpload(_ http.ResponseWriter, r *http.Request, v *visit) (transferReply, error) {
	x, err := s.o.Transfers.Part(v.User.Login, r.PathValue("part"))
	return transferReply{ID: x.ID, Have: x.Have, OK: err == nil}, err
}

func (s *Server) appendUpload(w http.ResponseWriter, r *http.Request, v *visit) (transferReply, error) {
	offset, err := strconv.ParseInt(r.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || offset < 0 {
		return transferReply{}, &fleet.Error{Code: fleet.Invalid, Text: v.L.T("upload.no_form"), TextEN: v.L.T("upload.no_form"), Err: err}
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(pieceTime)) // not every writer has deadlines
	x, err := s.o.Transfers.Append(r.Context(), v.User.Login, r.PathValue("part"), offset, http.MaxBytesReader(w, r.Body, maxPiece))
	return transferReply{ID: x.ID, Have: x.Have, OK: err == nil}, err
}

func (s *Server) dropUpload(_ http.ResponseWriter, r *http.Request, v *visit) (transferReply, error) {
	err := s.o.Transfers.Drop(v.User.Login, r.PathValue("part"))
	return transferReply{OK: err == nil}, err
}

// finishUpload takes a file that has arrived whole. What becomes of it stands on
// the page of its batch besides, like the files of a plain form.
func (s *Server) finishUpload(w http.ResponseWriter, r *http.Request, v *visit) (transferReply, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	var info ClipInfo
	if err := r.ParseForm(); err != nil {
		return transferReply{}, &fleet.Error{Code: fleet.Invalid, Text: v.L.T("upload.no_form"), TextEN: v.L.T("upload.no_form"), Err: err}
	}
	for key := range r.PostForm {
		info.set(key, r.PostForm.Get(key))
	}
	var res uploadResult
	err := s.o.Transfers.Take(v.User.Login, r.PathValue("part"), func(file io.Reader, x fleet.Part) (err error) {
		res, err = s.takeUpload(r, v, x.File, file, info, r.PostForm.Get("keep") == "draft")
		return err
	})
	var told *fleet.Error
	if err != nil && !errors.As(err, &told) {
		return transferReply{}, err
	}
	if res.File == "" {
		return transferReply{}, err // it was not whole, or not there
	}
	batch := s.results.add(r.PostForm.Get("batch"), res, v.User.ID, v.Now)
	return transferReply{Batch: batch, OK: res.OK, Text: res.Text}, nil
}
