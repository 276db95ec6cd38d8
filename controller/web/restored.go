package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"gatecast/controller/fleet"
)

// restoredView is 恢复之后: what was restored, and the devices that wait.
type restoredView struct {
	Restores   []restoreRow
	Rows       []awaitRow
	Confirm    int // devices that wait for a person
	Reconnect  int // devices that did not come back yet
	Programmes string
	May        bool
}

type restoreRow struct {
	At, Backup, File, By string
}

type awaitRow struct {
	Point, Href string
	Device      string
	State       deviceState
	Want, Have  string
	Seen        string
}

func (s *Server) restored(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "restored.title", "points")
	if err != nil {
		return f, err
	}
	view := &restoredView{May: fleet.May(v.User.Role, fleet.ActActivate)}
	all, err := s.o.Recovery.Restores(ctx)
	if err != nil {
		return f, fmt.Errorf("reading restores: %w", err)
	}
	for _, x := range all {
		row := restoreRow{At: v.L.Stamp(x.At, v.Now), Backup: v.L.Stamp(x.Backup, v.Now), File: x.File, By: x.By}
		if x.File == "" {
			row.File = v.L.T("restored.by_hand")
		}
		view.Restores = append(view.Restores, row)
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
		if d.State != fleet.DeviceActive || d.Awaiting == fleet.AwaitNothing {
			continue
		}
		row := awaitRow{
			Point: at[d.ID].Name, Href: pointPath(d.Point), Device: string(d.ID), Seen: v.L.Stamp(d.LastSeen, v.Now),
			Want: v.L.T("plan.version", d.WantVersion), Have: v.L.T("plan.version", d.PlanVersion),
			State: deviceState{Tone: "bad", Icon: "i-alert", Text: v.L.T("await.confirm")},
		}
		if d.Awaiting == fleet.AwaitReconnect {
			row.State, row.Have = deviceState{Tone: "warn", Icon: "i-offline", Text: v.L.T("await.reconnect")}, v.L.T("none")
			view.Reconnect++
		} else {
			view.Confirm++
		}
		view.Rows = append(view.Rows, row)
	}
	slices.SortStableFunc(view.Rows, func(a, b awaitRow) int { return cmp.Compare(a.State.Tone, b.State.Tone) }) // bad before warn
	progs, err := s.o.Programmes.Programmes(ctx)
	if err != nil {
		return f, fmt.Errorf("reading programmes: %w", err)
	}
	var names []string
	for _, p := range progs {
		if p.State == fleet.Active {
			names = append(names, v.L.T("restored.programme", p.Name, p.Version))
		}
	}
	view.Programmes = strings.Join(names, v.L.T("list"))
	f.V = view
	return f, nil
}

// confirmPlans lets the devices that wait for a person have plans again.
func (s *Server) confirmPlans(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.FormValue("checked") != "yes" {
		return redirect(w, r, "/restored")
	}
	n, err := s.o.Recovery.ConfirmPlans(r.Context(), v.Now)
	if err != nil {
		return fmt.Errorf("confirming plans after a restore: %w", err)
	}
	s.audit(r, v, fleet.AuditConfirmPlans, fmt.Sprint(n), "")
	return redirect(w, r, "/restored?done=confirmed")
}
