package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"gatecast/controller/fleet"
)

var errNoPage = &fleet.Error{Code: fleet.NotFound, Text: "没有这个页面，可能是地址写错了或已经移走。", TextEN: "There is no such page; the address may be mistyped or old."}

// statuses maps the code of an error to the status of the answer.
var statuses = map[fleet.Code]int{
	fleet.NotFound:  http.StatusNotFound,
	fleet.Invalid:   http.StatusUnprocessableEntity,
	fleet.Conflict:  http.StatusConflict,
	fleet.Forbidden: http.StatusForbidden,
	fleet.Full:      http.StatusInsufficientStorage,
	fleet.Internal:  http.StatusInternalServerError,
}

// errorView is the page shown instead of one that could not be.
type errorView struct {
	Status int
	Text   string
	Ref    string // also in the log; empty for what the reader did
}

// userText returns the sentence of err for the reader. An error without one
// gets a reference that stands in the log beside the cause.
func (s *Server) userText(r *http.Request, v *visit, err error) (text, ref string, code fleet.Code) {
	var fe *fleet.Error
	if errors.As(err, &fe) && fe.Code != fleet.Internal {
		return v.L.Error(fe), "", fe.Code
	}
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	ref = strings.ToUpper(hex.EncodeToString(b[:]))
	s.o.Logger.Error("answering request", "method", r.Method, "path", r.URL.Path, "ref", ref, "user", v.User.Login, "err", err)
	if fe != nil && fe.Text != "" {
		return v.L.Error(fe), ref, fleet.Internal
	}
	return v.L.T("error.internal"), ref, fleet.Internal
}

// fail answers with an error page.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // the reader went away
	}
	view := errorView{}
	var code fleet.Code
	view.Text, view.Ref, code = s.userText(r, v, err)
	view.Status = statuses[code]
	f := frame{L: v.L, Title: v.L.T("error.title"), User: v.User, Here: "/", Now: v.Now, Demo: s.o.Demo, Version: s.o.Version, V: view}
	if err := s.show(w, view.Status, "error", f); err != nil {
		s.o.Logger.Error("rendering error page", "err", err)
		http.Error(w, view.Text, view.Status)
	}
}
