package api

import (
	_ "embed"
	"net/http"
)

// document is the description of every call; a test holds it to the routes and
// to real answers.
//
//go:embed openapi.yaml
var document []byte

// documentRoute serves the document to every token.
func (s *Server) documentRoute() {
	const pattern = "GET /api/v1/openapi.yaml"
	s.routes = append(s.routes, Route{pattern, ""})
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		c, err := s.open(w, r, "")
		if err == nil {
			err = c.read().err
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
		_, _ = w.Write(document) // the caller may have gone
	})
}
