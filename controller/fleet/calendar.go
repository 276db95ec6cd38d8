package fleet

import (
	"slices"
	"time"
)

// EntryID is the row id of a CalendarEntry; 0 means not stored yet.
type EntryID int64

// EntryKind is why the office keeps its loudspeakers quiet on some days.
type EntryKind string

// The kinds of entries.
const (
	EntryExam     EntryKind = "exam"     // 考试: has a document
	EntryMourning EntryKind = "mourning" // 哀悼日
	EntryStop     EntryKind = "stop"     // 临时停播
)

// EntryKinds is every kind, in the order in which they are offered.
var EntryKinds = []EntryKind{EntryExam, EntryMourning, EntryStop}

// CalendarEntry is one entry of the office's calendar: what is quiet when and
// where, by which document. It holds for every programme.
type CalendarEntry struct {
	ID       EntryID
	Kind     EntryKind
	Title    string
	Document string // 文号 or link; of 哀悼日 and 临时停播 the reason will do
	Spans    []CalendarSpan

	At       time.Time // since when it holds: slots that had begun are left alone
	By, Name string    // login and name of who entered it

	Ended     time.Time // taken back: slots from then on are not concerned; zero while it holds
	EndedBy   string    // login
	EndReason string
}

// CalendarSpan is one range of dates of an entry with its windows and its area.
type CalendarSpan struct {
	From   Day      `json:"from"` // first and last day, both included
	To     Day      `json:"to"`
	AllDay bool     `json:"all_day,omitempty"` // or
	Times  []string `json:"times,omitempty"`   // like 12:00-14:30, 21:30-07:00
	GainDB float64  `json:"gain_db,omitempty"` // below 0: 限音, sounds lower by that; 0: 静音

	All    bool     `json:"all,omitempty"` // every point, or those that a list names
	Units  []string `json:"units,omitempty"`
	Tags   []string `json:"tags,omitempty"`
	Points []string `json:"points,omitempty"` // by code
}

// First and Last are the days between which e may hold; empty without spans.
func (e CalendarEntry) First() Day {
	first := Day("")
	for _, s := range e.Spans {
		if first == "" || s.From < first {
			first = s.From
		}
	}
	return first
}

// Last is the last day of e.
func (e CalendarEntry) Last() Day {
	last := Day("")
	for _, s := range e.Spans {
		last = max(last, s.To)
	}
	return last
}

// Check asks for what every entry needs; dates and times are checked by the
// planner, which reads them.
func (e CalendarEntry) Check() *Error {
	refuse := func(zh, en string) *Error { return &Error{Code: Invalid, Text: zh, TextEN: en} }
	switch {
	case !slices.Contains(EntryKinds, e.Kind):
		return refuse("请选择是考试、哀悼日还是临时停播。", "Choose whether it is an exam, a day of mourning or a temporary stop.")
	case e.Title == "":
		return refuse("请填写名称，例如“高考”。", "Give the entry a title, such as the exam's name.")
	case e.Document == "" && e.Kind == EntryExam:
		return refuse("请填写文号或公告链接：免播要有依据。", "Name the document or a link to the notice: silence needs a reason on paper.")
	case e.Document == "":
		return refuse("请填写原因：报表上会照写。", "Give the reason: reports will print it.")
	case len(e.Spans) == 0:
		return refuse("请至少填写一段日期。", "Give at least one range of dates.")
	}
	return nil
}

// HolidayTable is a year's public holidays as the office imported them.
type HolidayTable struct {
	Year     int
	JSON     []byte // in the form of the holiday-cn project
	Source   string // name of the file
	By       string // login
	Imported time.Time
}

// FormDraft is a form as somebody left it, to be gone on with.
type FormDraft struct {
	ID    int64
	Owner string // login
	Title string
	Form  []byte // URL-encoded fields
	Saved time.Time
}
