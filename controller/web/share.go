package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"gatecast/controller/fleet"
)

// weekDays is how far the pages look ahead, today included.
const weekDays = 7

// weekFor is how long the sum of a week holds. With 10,000 points it takes a
// part of a second to make.
const weekFor = 2 * time.Minute

// weekMemo keeps what is planned, so that a page does not plan anew.
type weekMemo struct {
	mu   sync.Mutex
	key  string // programmes in force and the day
	at   time.Time
	week fleet.Week
}

func (m *weekMemo) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.key = ""
}

// week returns what is planned for the coming week. Whoever comes while it is
// being made waits for the same one.
func (s *Server) week(ctx context.Context, v *visit) (fleet.Week, error) {
	all, err := s.o.Programmes.Programmes(ctx)
	if err != nil {
		return fleet.Week{}, fmt.Errorf("reading programmes: %w", err)
	}
	key := string(s.today(v))
	for _, p := range all {
		if p.State == fleet.Active {
			key += fmt.Sprintf(" %d", p.ID)
		}
	}
	m := &s.planned
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.key == key && v.Now.Sub(m.at).Abs() < weekFor {
		return m.week, nil
	}
	week, err := s.o.Week(ctx, weekDays, v.Now)
	if err != nil {
		return fleet.Week{}, fmt.Errorf("counting what is planned: %w", err)
	}
	m.key, m.at, m.week = key, v.Now, week
	return week, nil
}

// settingShare holds the share that is wanted, in percent.
const settingShare = "clips.adults_percent"

// shareView is how many of the planned plays speak to those of 20 to 50.
type shareView struct {
	Known         bool
	Percent       int
	Target        int
	Short         bool // below the target
	Plays, Adults int
	Everyone      int
	MaySet        bool
	Back          string // where the form leads
}

// share sums up the coming week for a page.
func (s *Server) share(ctx context.Context, v *visit, back string) (*shareView, error) {
	week, err := s.week(ctx, v)
	if err != nil {
		return nil, err
	}
	target, err := s.shareTarget(ctx)
	if err != nil {
		return nil, err
	}
	sum := fleet.ShareOf(week.Plays)
	view := &shareView{Target: target, Plays: sum.Plays, Adults: sum.Adults, Everyone: sum.Meant - sum.Adults, MaySet: fleet.May(v.User.Role, fleet.ActActivate), Back: back}
	view.Percent, view.Known = sum.Percent()
	view.Short = view.Known && view.Percent < target
	return view, nil
}

func (s *Server) shareTarget(ctx context.Context) (int, error) {
	text, err := s.o.Settings.Setting(ctx, settingShare)
	if err != nil {
		return 0, fmt.Errorf("reading the wanted share: %w", err)
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n <= 100 {
		return n, nil
	}
	return fleet.DefaultShare, nil
}

// setShare sets the share that is wanted.
func (s *Server) setShare(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(r.PostFormValue("percent")), "%"))
	if err != nil || n < 0 || n > 100 {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("share.bad"), TextEN: v.L.T("share.bad"), Err: err}
	}
	before, err := s.shareTarget(r.Context())
	if err != nil {
		return err
	}
	ctx, pending := s.withAudit(r, v, fleet.Audit{What: fleet.AuditShare, Object: strconv.Itoa(n), Before: strconv.Itoa(before), After: strconv.Itoa(n)})
	if err := s.o.Settings.SetSetting(ctx, settingShare, strconv.Itoa(n)); err != nil {
		return err
	}
	s.audited(r, pending)
	back := "/clips"
	if r.PostFormValue("back") == "/programmes" {
		back = "/programmes"
	}
	return redirect(w, r, back+"?done=share")
}
