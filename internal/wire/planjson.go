package wire

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// planJSON is the form of a Plan on the wire: slots that differ only in day
// share one kind, so that 60 days of three slots take 4 KB and fit a message.
type planJSON struct {
	Header
	Point     string     `json:"point"`
	PointName string     `json:"point_name"`
	Zone      string     `json:"zone"`
	FromS     int64      `json:"from_s"`
	HorizonS  int64      `json:"horizon_s"`
	NeedLevel TimeLevel  `json:"need_level"`
	StaleS    int64      `json:"stale_s,omitempty"`
	Default   string     `json:"default,omitempty"`
	Clips     []string   `json:"clips"`
	Day0      string     `json:"day0,omitempty"` // the day of the first slot
	Kinds     []slotKind `json:"kinds,omitempty"`
	Slots     [][3]int64 `json:"slots,omitempty"` // kind, days after Day0, start in unix seconds
	Recalled  []string   `json:"recalled,omitempty"`
	MaxVolume int        `json:"max_volume_pct,omitempty"`
}

type slotKind struct {
	ID       string  `json:"id"` // of the slot, without its date
	Name     string  `json:"name"`
	LenS     int64   `json:"len_s"`
	EveryS   int64   `json:"every_s"`
	Count    int     `json:"count"`
	Playlist []int   `json:"playlist"`
	Before   []int   `json:"before,omitempty"`
	GraceS   int64   `json:"grace_s"`
	GainDB   float64 `json:"gain_db,omitempty"`
	Urgent   bool    `json:"urgent,omitempty"`
}

func (k slotKind) equal(o slotKind) bool {
	return k.ID == o.ID && k.Name == o.Name && k.LenS == o.LenS && k.EveryS == o.EveryS &&
		k.Count == o.Count && k.GraceS == o.GraceS && k.GainDB == o.GainDB && k.Urgent == o.Urgent && slices.Equal(k.Playlist, o.Playlist) && slices.Equal(k.Before, o.Before)
}

// MarshalJSON writes the compact form. A slot id that does not begin with a
// date is an error.
func (p Plan) MarshalJSON() ([]byte, error) {
	out := planJSON{
		Header: p.Header, Point: p.Point, PointName: p.PointName, Zone: p.Zone,
		FromS: p.FromS, HorizonS: p.HorizonS, NeedLevel: p.NeedLevel,
		StaleS: p.StaleS, Default: p.Default, Clips: p.Clips,
		Slots: make([][3]int64, 0, len(p.Slots)), Recalled: p.Recalled, MaxVolume: p.MaxVolumePct,
	}
	var day0 time.Time
	for _, s := range p.Slots {
		date, rest, _ := strings.Cut(string(s.ID), ".")
		day, err := time.Parse(time.DateOnly, date)
		if err != nil || rest == "" {
			return nil, fmt.Errorf("slot id %q: want <date>.<programme>.<slot>", s.ID)
		}
		if out.Day0 == "" {
			out.Day0, day0 = date, day
		}
		kind := slotKind{rest, s.Name, s.EndS - s.StartS, s.EveryS, s.Count, s.Playlist, s.Before, s.GraceS, s.GainDB, s.Urgent}
		i := slices.IndexFunc(out.Kinds, kind.equal)
		if i < 0 {
			i = len(out.Kinds)
			out.Kinds = append(out.Kinds, kind)
		}
		// Both are midnights UTC, so whole days lie between them.
		out.Slots = append(out.Slots, [3]int64{int64(i), int64(day.Sub(day0) / (24 * time.Hour)), s.StartS})
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads the compact form; a kind that is not there or a day
// more than ten years from the first is an error.
func (p *Plan) UnmarshalJSON(data []byte) error {
	var in planJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	var day0 time.Time
	if len(in.Slots) > 0 {
		var err error
		if day0, err = time.Parse(time.DateOnly, in.Day0); err != nil {
			return fmt.Errorf("plan's first day: %w", err)
		}
	}
	slots := make([]PlanSlot, 0, len(in.Slots))
	for _, s := range in.Slots {
		if s[0] < 0 || s[0] >= int64(len(in.Kinds)) {
			return fmt.Errorf("slot of kind %d of %d", s[0], len(in.Kinds))
		}
		if s[1] < -3660 || s[1] > 3660 {
			return fmt.Errorf("slot %d days after the first", s[1])
		}
		k := in.Kinds[s[0]]
		slots = append(slots, PlanSlot{
			ID:   SlotID(day0.AddDate(0, 0, int(s[1])).Format(time.DateOnly) + "." + k.ID),
			Name: k.Name, StartS: s[2], EndS: s[2] + k.LenS, EveryS: k.EveryS,
			Count: k.Count, Playlist: k.Playlist, Before: k.Before, GraceS: k.GraceS, GainDB: k.GainDB, Urgent: k.Urgent,
		})
	}
	*p = Plan{
		Header: in.Header, Point: in.Point, PointName: in.PointName, Zone: in.Zone,
		FromS: in.FromS, HorizonS: in.HorizonS, NeedLevel: in.NeedLevel,
		StaleS: in.StaleS, Default: in.Default, Clips: in.Clips, Slots: slots, Recalled: in.Recalled, MaxVolumePct: in.MaxVolume,
	}
	return nil
}
