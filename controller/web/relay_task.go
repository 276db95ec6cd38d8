package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/picture"
	"gatecast/controller/relay"
)

// myRelayView is 待转发: what one's own groups have to pass on.
type myRelayView struct {
	Owner      string
	Open, Done []myTask
	Error      string
	Failed     fleet.RelayTaskID // the task that Error is about
}

type myTask struct {
	ID             fleet.RelayTaskID
	Group          string
	Text, Source   string
	Due            string
	State          deviceState
	Picture, Audio string
	Clip           string
	Shot           string
	Done           string
	Urgent         bool
}

// myDays is how long what one did stays on the page.
const myDays = 3 * 24 * time.Hour

// myRelay lists the tasks of the groups of the account's own unit.
func (s *Server) myRelay(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "relay.my", "myrelay")
	if err != nil {
		return f, err
	}
	view := &myRelayView{}
	f.V = view
	unit := v.User.Scope().Unit
	if unit == 0 {
		return f, nil // a property company has no groups
	}
	tasks, err := s.o.RelayBook.RelayTasks(ctx, fleet.RelayFilter{Unit: unit, Since: v.Now.Add(-myDays)})
	if err != nil {
		return f, fmt.Errorf("reading own tasks: %w", err)
	}
	chain, err := s.o.Relay.Chain(ctx)
	if err != nil {
		return f, err
	}
	names := map[fleet.GroupID]string{}
	for _, g := range chain.Groups {
		names[g.ID] = g.Name
	}
	for _, u := range chain.Units {
		if u.ID == unit {
			view.Owner = u.Name
		}
	}
	items := map[fleet.RelayID]fleet.RelayItem{}
	for _, k := range tasks {
		item, known := items[k.Item]
		if !known {
			if item, err = s.o.Relay.Item(ctx, k.Item); err != nil {
				return f, err
			}
			items[k.Item] = item
		}
		row, err := s.myTask(ctx, v, item, k, names[k.Group])
		if err != nil {
			return f, err
		}
		switch {
		case !k.Done.IsZero():
			view.Done = append(view.Done, row)
		case item.Closed.IsZero():
			view.Open = append(view.Open, row)
		}
	}
	return f, nil
}

func (s *Server) myTask(ctx context.Context, v *visit, item fleet.RelayItem, k fleet.RelayTask, group string) (myTask, error) {
	path := fmt.Sprintf("/my/relay/%d", k.ID)
	row := myTask{ID: k.ID, Group: group, Text: item.Text, Source: item.Source, Due: v.L.Stamp(k.Due, v.Now), Urgent: item.Urgent}
	row.State = deviceState{Tone: "warn", Icon: "i-clock", Text: v.L.T("relay.due", row.Due)}
	switch {
	case !k.Done.IsZero():
		row.Done = v.L.T("relay.ticked", v.L.Stamp(k.Done, v.Now), k.Name)
		row.State = deviceState{Tone: "ok", Icon: "i-check", Text: v.L.T("relay.state.done")}
	case k.Late(v.Now):
		row.State = deviceState{Tone: "bad", Icon: "i-clock", Text: v.L.T("relay.overdue.by", v.L.Span(v.Now.Sub(k.Due)))}
	}
	if item.Picture {
		row.Picture = path + "/picture"
	}
	if k.Shot {
		row.Shot = path + "/shot"
	}
	if item.Clip != 0 {
		c, err := s.o.Clips.Clip(ctx, item.Clip)
		if err != nil {
			return row, fmt.Errorf("reading clip: %w", err)
		}
		row.Clip, row.Audio = c.Title, path+"/audio"
	}
	return row, nil
}

func taskID(r *http.Request) (fleet.RelayTaskID, error) {
	n, err := strconv.ParseInt(r.PathValue("task"), 10, 64)
	if err != nil || n < 1 {
		return 0, errNoTask
	}
	return fleet.RelayTaskID(n), nil
}

var errNoTask = &fleet.Error{Code: fleet.NotFound, Text: "没有这条待转发。", TextEN: "There is no such task."}

// myOwnTask returns a task of the account's own unit. One of others does not
// exist for it.
func (s *Server) myOwnTask(r *http.Request, v *visit) (fleet.RelayTask, error) {
	id, err := taskID(r)
	if err != nil {
		return fleet.RelayTask{}, err
	}
	unit := v.User.Scope().Unit
	if unit == 0 {
		return fleet.RelayTask{}, errNoTask
	}
	tasks, err := s.o.RelayBook.RelayTasks(r.Context(), fleet.RelayFilter{Unit: unit})
	if err != nil {
		return fleet.RelayTask{}, err
	}
	for _, k := range tasks {
		if k.ID == id {
			return k, nil
		}
	}
	return fleet.RelayTask{}, errNoTask
}

// tickMine says that one's own group passed an item on.
func (s *Server) tickMine(w http.ResponseWriter, r *http.Request, v *visit) error {
	k, err := s.myOwnTask(r, v)
	if err != nil {
		return err
	}
	err = s.tick(w, r, v, k.ID)
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.myRelay(r.Context(), v, r)
		if err != nil {
			return err
		}
		view := f.V.(*myRelayView)
		view.Error, view.Failed, f.Here = why, k.ID, "/my/relay"
		return s.show(w, http.StatusUnprocessableEntity, "myrelay", f)
	}
	if err != nil {
		return err
	}
	return redirect(w, r, "/my/relay?done=relayed")
}

// tickRelay is the same by the office, for whoever called it up.
func (s *Server) tickRelay(w http.ResponseWriter, r *http.Request, v *visit) error {
	item, err := relayID(r)
	if err != nil {
		return err
	}
	id, err := taskID(r)
	if err != nil {
		return err
	}
	if err := s.tick(w, r, v, id); err != nil {
		return err
	}
	return redirect(w, r, relayPath(item)+"?done=relayed")
}

func (s *Server) tick(w http.ResponseWriter, r *http.Request, v *visit, id fleet.RelayTaskID) error {
	_, shot, err := readUpload(w, r, "shot")
	if err != nil {
		return err
	}
	item, group, err := s.o.Relay.About(r.Context(), id)
	if err != nil {
		return err
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditRelayDone, Object: relay.Brief(item), Detail: group.Name})
	if err := s.o.Relay.Tick(ctx, id, v.User, shot); err != nil {
		return err
	}
	s.audited(r, line)
	return nil
}

func sendPicture(w http.ResponseWriter, jpeg []byte) error {
	h := w.Header()
	h.Set("Content-Type", "image/jpeg")
	h.Set("Content-Length", strconv.Itoa(len(jpeg)))
	h.Set("Cache-Control", "private, no-store") // screenshots show people's names
	_, _ = w.Write(jpeg)                        // the reader may have gone
	return nil
}

func (s *Server) relayPicture(w http.ResponseWriter, r *http.Request, _ *visit) error {
	id, err := relayID(r)
	if err != nil {
		return err
	}
	jpeg, err := s.o.RelayBook.RelayPicture(r.Context(), id)
	if err != nil {
		return err
	}
	return sendPicture(w, jpeg)
}

func (s *Server) relayShot(w http.ResponseWriter, r *http.Request, _ *visit) error {
	id, err := taskID(r)
	if err != nil {
		return err
	}
	jpeg, err := s.o.RelayBook.RelayShot(r.Context(), id)
	if err != nil {
		return err
	}
	return sendPicture(w, jpeg)
}

func (s *Server) myPicture(w http.ResponseWriter, r *http.Request, v *visit) error {
	k, err := s.myOwnTask(r, v)
	if err != nil {
		return err
	}
	jpeg, err := s.o.RelayBook.RelayPicture(r.Context(), k.Item)
	if err != nil {
		return err
	}
	return sendPicture(w, jpeg)
}

func (s *Server) myShot(w http.ResponseWriter, r *http.Request, v *visit) error {
	k, err := s.myOwnTask(r, v)
	if err != nil {
		return err
	}
	jpeg, err := s.o.RelayBook.RelayShot(r.Context(), k.ID)
	if err != nil {
		return err
	}
	return sendPicture(w, jpeg)
}

// myAudio is the clip of an item that one is to pass on.
func (s *Server) myAudio(w http.ResponseWriter, r *http.Request, v *visit) error {
	k, err := s.myOwnTask(r, v)
	if err != nil {
		return err
	}
	item, err := s.o.Relay.Item(r.Context(), k.Item)
	if err != nil {
		return err
	}
	if item.Clip == 0 {
		return errNoTask
	}
	c, err := s.o.Clips.Clip(r.Context(), item.Clip)
	if err != nil {
		return err
	}
	file, err := s.o.Media.Open(c.SHA256)
	if err != nil {
		return fmt.Errorf("opening clip %q: %w", c.Name, err)
	}
	defer file.Close()
	h := w.Header()
	h.Set("Content-Type", "audio/flac")
	h.Set("Content-Disposition", "inline; filename*=UTF-8''"+url.PathEscape(c.Title)+".flac")
	http.ServeContent(w, r, "", c.Uploaded, file)
	return nil
}

const (
	maxPart = 64 << 10 // of a text in a form with a file
	maxRest = 1 << 20  // of a form with a picture, beside the picture
)

// readUpload reads a form with at most one file, whose fields stand before it.
// A file that is too large does not lose the fields: it arrives cut, one byte
// above what is allowed, and is refused by whoever looks at it. The reader is
// nil when no file was chosen.
func readUpload(w http.ResponseWriter, r *http.Request, file string) (url.Values, io.Reader, error) {
	r.Body = http.MaxBytesReader(w, r.Body, picture.MaxBytes+maxRest)
	unreadable := func(err error) error {
		return &fleet.Error{Code: fleet.Invalid, Text: "表单没有传完，请再试一次。", TextEN: "The form did not arrive whole. Try again.", Err: err}
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "multipart/form-data" {
		if err := r.ParseForm(); err != nil {
			return nil, nil, unreadable(err)
		}
		return r.PostForm, nil, nil
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, nil, unreadable(err)
	}
	form := url.Values{}
	var data []byte
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || n > 1000 {
			return nil, nil, unreadable(err)
		}
		if part.FormName() != file {
			text, err := io.ReadAll(io.LimitReader(part, maxPart))
			if err != nil {
				return nil, nil, unreadable(err)
			}
			form.Add(part.FormName(), string(text))
			continue
		}
		if data, err = io.ReadAll(io.LimitReader(part, picture.MaxBytes+1)); err != nil {
			return nil, nil, unreadable(err)
		}
		if len(data) > picture.MaxBytes {
			break // refused as too large; the rest is not read
		}
	}
	if len(data) == 0 {
		return form, nil, nil
	}
	return form, bytes.NewReader(data), nil
}
