package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"gatecast/controller/feedback"
	"gatecast/controller/fleet"
	"gatecast/controller/picture"
)

// myFeedbackView is what one's own unit files, week by week.
type myFeedbackView struct {
	Owner string
	Weeks []myFeedbackWeek
}

type myFeedbackWeek struct {
	Week    string
	Name    string
	State   deviceState
	Due     string
	Overdue string
	Filed   string // which version, when and by whom
	Nil     bool   // the latest version is a 零报告
	Items   []feedbackItem
	Text    string // as typed; kept when it was refused
	Error   string
	More    bool // another problem may be added
}

// myFeedback shows this week and the one before, the latter first while it is
// not filed.
func (s *Server) myFeedback(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "feedback.my", "myfeedback")
	if err != nil {
		return f, err
	}
	view := &myFeedbackView{}
	f.V = view
	unit := v.User.Scope().Unit
	if unit == 0 {
		return f, nil // a property company files none
	}
	weeks, err := s.o.Feedback.Open(ctx)
	if err != nil {
		return f, err
	}
	for _, w := range weeks {
		all, err := s.o.Feedback.Week(ctx, w)
		if err != nil {
			return f, err
		}
		i := slices.IndexFunc(all, func(st fleet.FeedbackStanding) bool { return st.Unit.ID == unit })
		if i < 0 {
			continue
		}
		view.Owner = all[i].Unit.Name
		week, err := s.myFeedbackWeek(ctx, v, all[i])
		if err != nil {
			return f, err
		}
		view.Weeks = append(view.Weeks, week)
	}
	return f, nil
}

func (s *Server) myFeedbackWeek(ctx context.Context, v *visit, st fleet.FeedbackStanding) (myFeedbackWeek, error) {
	l := v.L
	out := myFeedbackWeek{Week: st.Week.String(), Name: l.week(st.Week), Due: l.Stamp(st.Due, v.Now), State: feedbackTones[st.State], Nil: st.Nil}
	out.State.Text = l.T("feedback.state." + string(st.State))
	if st.Overdue > 0 {
		out.Overdue = l.T("feedback.overdue", st.OverdueMinutes())
	}
	versions, err := s.o.FeedbackBook.FeedbackVersions(ctx, st.Unit.ID, st.Week)
	if err != nil {
		return out, err
	}
	marks, err := s.o.Feedback.Marks(ctx, st.Week)
	if err != nil {
		return out, err
	}
	out.More = true
	if len(versions) > 0 {
		last := versions[0]
		out.Filed = l.T("feedback.filed", last.Version, l.Stamp(last.At, v.Now), last.Name)
		for _, it := range last.Items {
			row := l.feedbackItem(st.Unit, it, marks[feedback.ItemKey{Unit: st.Unit.ID, Number: it.Number}], "/my/feedback/"+st.Week.String(), v)
			out.Items = append(out.Items, row)
		}
		out.More = len(last.Items) < fleet.MaxFeedbackItems
	}
	return out, nil
}

// fileMine files the next version of a week: with another problem, without one
// that was told of by mistake, or as a 零报告.
func (s *Server) fileMine(w http.ResponseWriter, r *http.Request, v *visit) error {
	form, photo, err := readUpload(w, r, "photo")
	if err != nil {
		return err
	}
	unit := v.User.Scope().Unit
	week, ok := fleet.ParseWeek(form.Get("week"))
	weeks, err := s.o.Feedback.Open(r.Context())
	if err != nil {
		return err
	}
	if unit == 0 || !ok || !slices.Contains(weeks, week) {
		return &fleet.Error{Code: fleet.Invalid, Text: "只能报送本周和上周的反馈，请重新打开这一页。", TextEN: "Feedback can be filed for this week and the last one. Open the page again."}
	}
	versions, err := s.o.FeedbackBook.FeedbackVersions(r.Context(), unit, week)
	if err != nil {
		return err
	}
	next := fleet.Feedback{Unit: unit, Week: week, At: v.Now, By: v.User.Login, Name: v.User.Name}
	number := 1
	for _, f := range versions {
		for _, it := range f.Items {
			number = max(number, it.Number+1)
		}
	}
	if len(versions) > 0 {
		next.Items = slices.Clone(versions[0].Items)
	}
	text := strings.TrimSpace(form.Get("text"))
	photos := map[int][][]byte{}
	switch do := form.Get("do"); do {
	case "nil":
		next.Items = nil
	case "drop":
		n, _ := strconv.Atoi(form.Get("number")) // 0 does not exist
		next.Items = slices.DeleteFunc(next.Items, func(it fleet.FeedbackItem) bool { return it.Number == n })
	default:
		next.Items = append(next.Items, fleet.FeedbackItem{Number: number, Text: text})
		if photo != nil {
			jpeg, err := picture.Clean(photo)
			if err != nil {
				return s.refuseMine(w, r, v, week, text, err)
			}
			photos[number] = [][]byte{jpeg}
		}
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditFeedback, Object: s.unitName(r.Context(), unit), Detail: fmt.Sprintf("%s: %d", week, len(next.Items))})
	if _, err := s.o.FeedbackBook.FileFeedback(ctx, next, photos); err != nil {
		return s.refuseMine(w, r, v, week, text, err)
	}
	s.audited(r, line)
	return redirect(w, r, "/my/feedback?done=feedback")
}

// refuseMine shows the form again with what was typed.
func (s *Server) refuseMine(w http.ResponseWriter, r *http.Request, v *visit, week fleet.ISOWeek, text string, refused error) error {
	why, ok := refusalOf(v.L, refused)
	if !ok {
		return refused
	}
	f, err := s.myFeedback(r.Context(), v, r)
	if err != nil {
		return err
	}
	f.Here = "/my/feedback"
	view := f.V.(*myFeedbackView)
	for i := range view.Weeks {
		if view.Weeks[i].Week == week.String() {
			view.Weeks[i].Text, view.Weeks[i].Error = text, why
		}
	}
	return s.show(w, http.StatusUnprocessableEntity, "myfeedback", f)
}

func (s *Server) myFeedbackPhoto(w http.ResponseWriter, r *http.Request, v *visit) error {
	week, ok := fleet.ParseWeek(r.PathValue("week"))
	unit := v.User.Scope().Unit
	if !ok || unit == 0 {
		return errNoFeedback
	}
	return s.sendFeedbackPhoto(w, r, unit, week)
}
