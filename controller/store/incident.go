package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Bounds of what an incident says, so that nobody fills the database by being
// refused.
const (
	maxIncidentDetail = 300
	maxIncidentCount  = 1_000_000_000
	maxIncidentSpan   = 60 * 24 * time.Hour // a device counts for an hour, and may be offline for weeks
	incidentOther     = fleet.IncidentKind("other")
)

// AddIncident keeps an incident. One like it that became known in the same
// hour and is still open takes its count (0 means 1), its detail and its
// times; Last is when it happened, First is taken for Last where it is zero.
// Where Device is known and Point is not, the point is where the device is.
func (s *Store) AddIncident(ctx context.Context, in fleet.Incident) error {
	if in.Point == 0 && in.Device != "" {
		if d, err := s.device(in.Device); err == nil {
			in.Point = d.pointAt(in.Last)
		}
	}
	_, err := change(ctx, s, func(t *tx) (none, error) { return none{}, addIncidentTx(t, in, s.clock()) })
	return err
}

func addIncidentTx(t *tx, in fleet.Incident, now time.Time) error {
	if in.Last.IsZero() {
		in.Last = now
	}
	if in.First.IsZero() || in.First.After(in.Last) {
		in.First = in.Last
	}
	span := time.Hour
	if in.Kind == fleet.IncidentRevoked {
		span = 24 * time.Hour // one that was left on the wall knocks every hour
	}
	_, err := t.exec(`INSERT INTO incidents (kind, point_id, device, address, detail, hour_us, first_us, last_us, count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, point_id, device, address, hour_us) WHERE seen_us = 0 DO UPDATE SET
  detail = excluded.detail, first_us = min(first_us, excluded.first_us), last_us = max(last_us, excluded.last_us), count = min(count + excluded.count, ?)`,
		string(in.Kind), int64(in.Point), string(in.Device), oneLine(in.From), oneLine(in.Detail), wire.US(now.Truncate(span)),
		wire.US(in.First), wire.US(in.Last), min(max(in.Count, 1), maxIncidentCount), maxIncidentCount)
	return err
}

// oneLine is text without control characters, within maxIncidentDetail bytes.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) > maxIncidentDetail {
		s = strings.ToValidUTF8(s[:maxIncidentDetail], "")
	}
	return s
}

// incident keeps what a device's record says was tried at it, in the commit of
// the record and so once. Its times are held to what can be: not after the
// record came, and the time of coming where the device had none to trust.
func (in *intake) incident(e entry, point fleet.PointID) error {
	var body struct {
		Level wire.TimeLevel `json:"level"`
		Body  wire.Incident  `json:"body"`
	}
	if json.Unmarshal(e.raw, &body) != nil {
		return nil // the record stays a record
	}
	b := body.Body
	kind := b.What
	if !slices.Contains(wire.DeviceIncidents, kind) {
		kind = incidentOther // of a later version
	}
	span := min(max(time.Duration(b.LastUS-b.FirstUS)*time.Microsecond, 0), maxIncidentSpan)
	last := wire.FromUS(b.LastUS)
	if body.Level <= wire.T0 || last.After(in.now) || last.Before(in.now.Add(-maxIncidentSpan)) {
		last = in.now
	}
	return addIncidentTx(in.t, fleet.Incident{
		Kind: kind, Point: point, Device: in.d.ID, Detail: b.Detail,
		First: last.Add(-span), Last: last, Count: int(min(b.Count, maxIncidentCount)),
	}, in.now)
}

const incidentColumns = `id, kind, point_id, device, address, detail, first_us, last_us, count, seen_us, seen_by, note`

func scanIncident(r scanner) (in fleet.Incident, err error) {
	var first, last, seen int64
	err = r.Scan(&in.ID, &in.Kind, &in.Point, &in.Device, &in.From, &in.Detail, &first, &last, &in.Count, &seen, &in.SeenBy, &in.Note)
	in.First, in.Last, in.Seen = wire.FromUS(first), wire.FromUS(last), wire.FromUS(seen)
	return in, err
}

// Incidents returns the incidents that f selects: open ones first, then the
// latest first.
func (s *Store) Incidents(ctx context.Context, f fleet.IncidentFilter) ([]fleet.Incident, error) {
	var w where
	if f.Point != 0 {
		w.add("point_id = ?", int64(f.Point))
	}
	if f.Open {
		w.add("seen_us = 0")
	}
	return list(ctx, s, "incidents", scanIncident,
		`SELECT `+incidentColumns+` FROM incidents`+w.String()+` ORDER BY seen_us > 0, last_us DESC, id DESC`+page(f.Limit, f.Offset), w.args...)
}

// AckIncident ticks an incident off. Its refusals are *fleet.Errors: NotFound,
// and Conflict where somebody did before.
func (s *Store) AckIncident(ctx context.Context, id int64, by, note string, now time.Time) (fleet.Incident, error) {
	return change(ctx, s, func(t *tx) (fleet.Incident, error) {
		in, err := scanIncident(t.row(`SELECT `+incidentColumns+` FROM incidents WHERE id = ?`, id))
		if err := found(err, fmt.Sprintf("没有编号为 %d 的安全事件。", id), fmt.Sprintf("There is no incident %d.", id)); err != nil {
			return in, err
		}
		if !in.Seen.IsZero() {
			return in, &fleet.Error{
				Code:   fleet.Conflict,
				Text:   fmt.Sprintf("这条安全事件已由%s处理。", in.SeenBy),
				TextEN: fmt.Sprintf("%s has already dealt with this incident.", in.SeenBy),
			}
		}
		in.Seen, in.SeenBy, in.Note = now, by, oneLine(note)
		_, err = t.exec(`UPDATE incidents SET seen_us = ?, seen_by = ?, note = ? WHERE id = ?`, wire.US(now), in.SeenBy, in.Note, id)
		return in, err
	})
}
