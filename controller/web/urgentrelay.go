package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"gatecast/controller/fleet"
)

// Forwarder passes an item down the tiers of groups, as tasks. Refusals are
// *fleet.Errors.
type Forwarder interface {
	Create(ctx context.Context, item fleet.RelayItem, picture io.Reader) (fleet.RelayID, error)
}

// passOn makes relay tasks of an insertion that has just become live, where that
// was asked for. It returns what to say of it after the redirect: done, or
// done_unrelayed where the tiers have no beginning.
func (s *Server) passOn(r *http.Request, v *visit, i fleet.Insertion, done string) string {
	if s.o.Forward == nil || !i.Relay || i.State != fleet.InsertionLive || i.Drill != fleet.NoDrill {
		return done
	}
	text := strings.TrimSpace(i.Text)
	if text == "" {
		text = i.Title
	}
	item := fleet.RelayItem{
		Text: s.langs[languages[0]].T("urgent.relay.text", text, v.L.Clock(i.Until)), Source: "紧急插播", By: i.By, Name: i.Name,
		Urgent: true, Insertion: i.ID,
	}
	if p, err := s.places(r.Context(), fleet.PointFilter{}); err == nil && !i.Area.All {
		item.Units = slices.Clone(i.Area.Units)
		for _, id := range i.Area.Points {
			if u := p.point[id].Unit; u != 0 && !slices.Contains(item.Units, u) {
				item.Units = append(item.Units, u)
			}
		}
	}
	if _, err := s.o.Forward.Create(r.Context(), item, nil); err != nil {
		var fe *fleet.Error
		if !errors.As(err, &fe) || fe.Code == fleet.Internal {
			s.o.Logger.Error("making relay tasks of an urgent broadcast", "insertion", i.ID, "err", err)
		}
		return "urgent_unrelayed"
	}
	return done
}
