package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// Robots are the robots of group chats, the webhooks, and what is sent to them.
// Refusals are *fleet.Errors.
type Robots interface {
	RobotList
	RobotDesk
}

// RobotList is what the page shows.
type RobotList interface {
	Robots(ctx context.Context) ([]fleet.Robot, error)
	Robot(ctx context.Context, id fleet.RobotID) (fleet.Robot, error)
	Letters(ctx context.Context, f fleet.LetterFilter) ([]fleet.Letter, error) // newest first
}

// RobotDesk is what the page does.
type RobotDesk interface {
	// Add takes a robot on; secret is that of a webhook that had none given.
	Add(ctx context.Context, d RobotDraft, by string) (r fleet.Robot, secret string, err error)
	Test(ctx context.Context, r fleet.Robot, by string) (fleet.LetterID, error)
	Pause(ctx context.Context, id fleet.RobotID) error
	Resume(ctx context.Context, id fleet.RobotID) error
	Remove(ctx context.Context, id fleet.RobotID) error
	// Resend and Drop decide about a message that was given up.
	Resend(ctx context.Context, id fleet.LetterID) (fleet.Letter, error)
	Drop(ctx context.Context, id fleet.LetterID) (fleet.Letter, error)
}

// RobotDraft is what the form holds.
type RobotDraft struct {
	Name       string
	Platform   fleet.Platform
	URL        string
	Secret     string
	Feeds      []fleet.Feed
	Keyword    string
	MentionAll bool
	Mobiles    string
}

func (s *Server) robotRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActSettings, "/settings/robots", "robots", s.robots)
	s.may(mux, fleet.ActSettings, "POST /settings/robots", s.addRobot)
	s.may(mux, fleet.ActSettings, "POST /settings/robots/{id}/test", s.testRobot)
	s.may(mux, fleet.ActSettings, "POST /settings/robots/{id}/pause", s.pauseRobot)
	s.may(mux, fleet.ActSettings, "POST /settings/robots/{id}/remove", s.removeRobot)
	s.may(mux, fleet.ActSettings, "POST /settings/letters/{id}", s.decideLetter)
}

type robotsView struct {
	Rows      []robotRow
	Letters   []letterRow // waiting and sent
	Dead      []letterRow
	Draft     RobotDraft
	Error     string
	Platforms []option
	Feeds     []option
	Fresh     string // the secret of the webhook just made: on this one answer only
}

type robotRow struct {
	ID                    fleet.RobotID
	Name, Platform, Host  string
	Feeds, Extra          string
	State, Tone           string
	Waiting, Dead         int
	Paused                bool
	TestHref, RemoveTitle string
}

type letterRow struct {
	ID                  fleet.LetterID
	Robot, Kind, Title  string
	Body                string
	State, Tone         string
	When, Next          string
	Attempts            int
	Why, Answer, Remedy string
}

// maxLetters is how many messages each list shows.
const maxLetters = 50

// robots lists robots and messages and has the form for another.
func (s *Server) robots(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	return s.robotsFrame(ctx, v, r, robotsView{Draft: RobotDraft{Platform: fleet.WeCom, Feeds: []fleet.Feed{fleet.FeedMissed, fleet.FeedOffline, fleet.FeedRelay}}})
}

func (s *Server) robotsFrame(ctx context.Context, v *visit, r *http.Request, view robotsView) (frame, error) {
	f, err := s.frame(ctx, v, r, "robots.title", "")
	if err != nil {
		return f, err
	}
	if s.o.Robots == nil {
		return f, errNoPage
	}
	all, err := s.o.Robots.Robots(ctx)
	if err != nil {
		return f, fmt.Errorf("reading robots: %w", err)
	}
	name := map[fleet.RobotID]string{}
	for _, robot := range all {
		name[robot.ID] = robot.Name
		view.Rows = append(view.Rows, v.robotRow(robot))
	}
	letters, err := s.o.Robots.Letters(ctx, fleet.LetterFilter{Limit: maxLetters})
	if err != nil {
		return f, fmt.Errorf("reading messages: %w", err)
	}
	for _, l := range letters {
		if l.State != fleet.LetterDead {
			view.Letters = append(view.Letters, v.letterRow(l, name[l.Robot]))
		}
	}
	dead, err := s.o.Robots.Letters(ctx, fleet.LetterFilter{State: fleet.LetterDead, Limit: maxLetters})
	if err != nil {
		return f, fmt.Errorf("reading dead letters: %w", err)
	}
	for _, l := range dead {
		view.Dead = append(view.Dead, v.letterRow(l, name[l.Robot]))
	}
	for _, p := range fleet.Platforms {
		view.Platforms = append(view.Platforms, option{Value: string(p), Text: v.L.T("robots.platform." + string(p)), On: p == view.Draft.Platform})
	}
	for _, feed := range fleet.Feeds {
		view.Feeds = append(view.Feeds, option{Value: string(feed), Text: v.L.T("robots.feed." + string(feed)), On: slices.Contains(view.Draft.Feeds, feed)})
	}
	f.Here, f.V = "/settings/robots", &view
	return f, nil
}

func (v *visit) robotRow(r fleet.Robot) robotRow {
	row := robotRow{
		ID: r.ID, Name: r.Name, Platform: v.L.T("robots.platform." + string(r.Platform)), Host: r.Host, Waiting: r.Waiting, Dead: r.Dead, Paused: !r.Paused.IsZero(),
		State: v.L.T("robots.state.runs"), Tone: "ok",
	}
	var feeds, extra []string
	for _, f := range r.Feeds {
		feeds = append(feeds, v.L.T("robots.feed."+string(f)))
	}
	row.Feeds = strings.Join(feeds, v.L.T("list"))
	if r.Keyword != "" {
		extra = append(extra, v.L.T("robots.has_keyword", r.Keyword))
	}
	if r.MentionAll {
		extra = append(extra, v.L.T("robots.mentions_all"))
	}
	if r.Mobiles > 0 {
		extra = append(extra, v.L.T("robots.mentions", r.Mobiles))
	}
	row.Extra = strings.Join(extra, v.L.T("list"))
	switch {
	case row.Paused:
		row.State, row.Tone = v.L.T("robots.state.paused", v.L.Stamp(r.Paused, v.Now)), "info"
	case r.Hold.After(v.Now):
		row.State, row.Tone = v.L.T("robots.state.hold", v.L.Stamp(r.Hold, v.Now)), "warn"
	case r.Dead > 0:
		row.State, row.Tone = v.L.T("robots.state.dead", r.Dead), "bad"
	}
	return row
}

func (v *visit) letterRow(l fleet.Letter, robot string) letterRow {
	row := letterRow{
		ID: l.ID, Robot: robot, Kind: v.L.T("robots.kind." + string(l.Kind)), Title: l.Title, Body: l.Body, State: v.L.T("robots.letter." + string(l.State)),
		When: v.L.Stamp(l.Created, v.Now), Attempts: l.Attempts, Answer: l.Answer,
	}
	switch l.State {
	case fleet.LetterSent:
		row.Tone, row.When = "ok", v.L.Stamp(l.Ended, v.Now)
	case fleet.LetterDead:
		row.Tone = "bad"
	default:
		if row.Tone = "info"; l.Next.After(v.Now) {
			row.Next = v.L.Stamp(l.Next, v.Now)
		}
	}
	if l.Fault != fleet.FaultNone {
		row.Why, row.Remedy = v.L.T("robots.fault."+string(l.Fault)), v.L.T("robots.fault."+string(l.Fault)+".text")
	}
	return row
}

// addRobot takes one on. What was typed stays on the page when it is refused,
// but for the secret, which is not sent back.
func (s *Server) addRobot(w http.ResponseWriter, r *http.Request, v *visit) error {
	if s.o.Robots == nil {
		return errNoPage
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("upload.no_form"), TextEN: v.L.T("upload.no_form"), Err: err}
	}
	d := RobotDraft{
		Name: r.PostForm.Get("name"), Platform: fleet.Platform(r.PostForm.Get("platform")), URL: r.PostForm.Get("url"), Secret: r.PostForm.Get("secret"),
		Keyword: r.PostForm.Get("keyword"), MentionAll: r.PostForm.Get("all") != "", Mobiles: r.PostForm.Get("mobiles"),
	}
	for _, f := range r.PostForm["feed"] {
		d.Feeds = append(d.Feeds, fleet.Feed(f))
	}
	robot, secret, err := s.o.Robots.Add(r.Context(), d, v.User.Login)
	if err != nil {
		var fe *fleet.Error
		if !errors.As(err, &fe) || (fe.Code != fleet.Invalid && fe.Code != fleet.Conflict) {
			return err
		}
		f, err := s.robotsFrame(r.Context(), v, r, robotsView{Draft: d, Error: v.L.Error(fe)})
		if err != nil {
			return err
		}
		return s.show(w, http.StatusUnprocessableEntity, "robots", f)
	}
	s.audit(r, v, fleet.AuditRobotAdd, robot.Name, string(robot.Platform)+" "+robot.Host)
	if secret == "" {
		return redirect(w, r, "/settings/robots?done=robot_added")
	}
	f, err := s.robotsFrame(r.Context(), v, r, robotsView{Draft: RobotDraft{Platform: fleet.WeCom}, Fresh: secret})
	if err != nil {
		return err
	}
	return s.show(w, http.StatusOK, "robots", f)
}

// robotOf returns the robot that the address names.
func (s *Server) robotOf(r *http.Request) (fleet.Robot, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || s.o.Robots == nil {
		return fleet.Robot{}, errNoPage
	}
	return s.o.Robots.Robot(r.Context(), fleet.RobotID(id))
}

func (s *Server) testRobot(w http.ResponseWriter, r *http.Request, v *visit) error {
	robot, err := s.robotOf(r)
	if err != nil {
		return err
	}
	if _, err := s.o.Robots.Test(r.Context(), robot, v.User.Name); err != nil {
		return fmt.Errorf("writing test message: %w", err)
	}
	s.audit(r, v, fleet.AuditRobotTest, robot.Name, "")
	return redirect(w, r, "/settings/robots?done=robot_test")
}

// pauseRobot pauses a robot that runs and lets one that is paused go on.
func (s *Server) pauseRobot(w http.ResponseWriter, r *http.Request, v *visit) error {
	robot, err := s.robotOf(r)
	if err != nil {
		return err
	}
	change, was, is := s.o.Robots.Pause, "runs", "paused"
	if r.FormValue("on") != "" {
		change, was, is = s.o.Robots.Resume, "paused", "runs"
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditRobotPause, Object: robot.Name, Before: was, After: is})
	if err := change(ctx, robot.ID); err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, "/settings/robots?done=robot_"+is)
}

func (s *Server) removeRobot(w http.ResponseWriter, r *http.Request, v *visit) error {
	robot, err := s.robotOf(r)
	if err != nil {
		return err
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditRobotRemove, Object: robot.Name, Detail: string(robot.Platform) + " " + robot.Host})
	if err := s.o.Robots.Remove(ctx, robot.ID); err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, "/settings/robots?done=robot_removed")
}

// decideLetter sends a dead letter again, or drops it.
func (s *Server) decideLetter(w http.ResponseWriter, r *http.Request, v *visit) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || s.o.Robots == nil {
		return errNoPage
	}
	do, what, done := s.o.Robots.Resend, fleet.AuditRobotResend, "letter_resent"
	if r.FormValue("drop") != "" {
		do, what, done = s.o.Robots.Drop, fleet.AuditRobotDrop, "letter_dropped"
	}
	l, err := do(r.Context(), fleet.LetterID(id))
	if err != nil {
		return err
	}
	s.audit(r, v, what, l.Title, l.Created.In(s.o.Zone).Format(time.DateTime))
	return redirect(w, r, "/settings/robots?done="+done)
}
