package chronicle

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// begin learns where the sources stand. What was there before the first start
// of all has happened already and is not told.
func (d *Desk) begin(ctx context.Context) ([]fleet.Occurrence, error) {
	read, err := d.o.Book.OccurrenceSources(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading sources: %w", err)
	}
	now := d.o.Now()
	if _, known := read[sourceProgrammes]; !known {
		first := fleet.Sources{sourceProgrammes: wire.US(now)}
		for id := int64(0); ; {
			list, err := d.o.World.IncidentsAfter(ctx, id, chunk)
			if err != nil {
				return nil, fmt.Errorf("reading incidents: %w", err)
			}
			if len(list) == 0 {
				first[sourceIncidents] = id
				break
			}
			id = list[len(list)-1].ID
		}
		for id := int64(0); ; {
			list, err := d.o.World.SignOffsAfter(ctx, id, chunk)
			if err != nil {
				return nil, fmt.Errorf("reading sign-offs: %w", err)
			}
			if len(list) == 0 {
				first[sourceSignOffs] = id
				break
			}
			id = list[len(list)-1].ID
		}
		if _, err := d.o.Book.AddOccurrences(ctx, nil, first); err != nil {
			return nil, fmt.Errorf("writing sources: %w", err)
		}
		read = first
	}
	devices, err := d.o.World.Devices(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading devices: %w", err)
	}
	d.online = make(map[wire.DeviceID]bool, len(devices))
	for _, v := range devices {
		d.online[v.ID] = v.Online
	}
	d.read = read
	return []fleet.Occurrence{{At: now, Kind: fleet.OccurredGap, Data: fleet.Fields("why", "start")}}, nil
}

func (d *Desk) incidents(ctx context.Context, read fleet.Sources) (all []fleet.Occurrence, err error) {
	list, err := d.o.World.IncidentsAfter(ctx, d.read[sourceIncidents], chunk)
	if err != nil {
		return nil, fmt.Errorf("reading incidents: %w", err)
	}
	for _, in := range list {
		all = append(all, fleet.Occurrence{
			At: in.Last, Kind: fleet.OccurredIncident, Point: in.Point,
			Data: fields("incident", strconv.FormatInt(in.ID, 10), "code", string(in.Kind), "count", strconv.Itoa(in.Count), "device", string(in.Device)),
		})
		read[sourceIncidents] = in.ID
	}
	d.again(len(list))
	return all, nil
}

// again has another pass follow one that took a whole chunk.
func (d *Desk) again(n int) {
	if n == chunk {
		d.wake()
	}
}

func (d *Desk) signOffs(ctx context.Context, read fleet.Sources) (all []fleet.Occurrence, err error) {
	list, err := d.o.World.SignOffsAfter(ctx, d.read[sourceSignOffs], chunk)
	if err != nil {
		return nil, fmt.Errorf("reading sign-offs: %w", err)
	}
	for _, v := range list {
		all = append(all, fleet.Occurrence{
			At: v.At, Kind: fleet.OccurredClip, Object: v.Title, Data: fields("clip", strconv.FormatInt(int64(v.Clip), 10), "sha256", v.SHA256),
		})
		read[sourceSignOffs] = v.ID
	}
	d.again(len(list))
	return all, nil
}

func (d *Desk) programmes(ctx context.Context, read fleet.Sources) (all []fleet.Occurrence, err error) {
	list, err := d.o.World.Programmes(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading programmes: %w", err)
	}
	slices.SortStableFunc(list, func(a, b fleet.Programme) int { return a.Activated.Compare(b.Activated) })
	for _, p := range list {
		if at := wire.US(p.Activated); !p.Activated.IsZero() && at > d.read[sourceProgrammes] {
			all = append(all, fleet.Occurrence{
				At: p.Activated, Kind: fleet.OccurredProgramme, Object: p.Name, Data: fields("programme", p.Code, "version", strconv.Itoa(p.Version)),
			})
			read[sourceProgrammes] = at
		}
	}
	return all, nil
}

// connections tells which devices came and went since they were told of last,
// and puts that into online.
func (d *Desk) connections(ctx context.Context, online map[wire.DeviceID]bool, now time.Time) (all []fleet.Occurrence, err error) {
	devices, err := d.o.World.Devices(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading devices: %w", err)
	}
	for _, v := range devices {
		was, known := d.online[v.ID]
		if known && was == v.Online || !known && !v.Online {
			continue
		}
		online[v.ID] = v.Online
		if v.State != fleet.DeviceActive {
			continue
		}
		kind := fleet.OccurredOffline
		if v.Online {
			kind = fleet.OccurredOnline
		}
		all = append(all, fleet.Occurrence{At: now, Kind: kind, Point: v.Point, Data: fields("device", string(v.ID))})
	}
	slices.SortStableFunc(all, func(a, b fleet.Occurrence) int { return int(a.Point - b.Point) })
	return all, nil
}

func verdict(o fleet.Obligation) fleet.Occurrence {
	return fleet.Occurrence{
		At: o.Settled, Kind: fleet.OccurredVerdict, Point: o.Point,
		Data: fields("slot", string(o.Slot), "day", string(o.Day), "name", o.Name, "verdict", string(o.Verdict), "reason", string(o.Reason), "grade", string(o.Grade)),
	}
}

// fields is fleet.Fields without names that have no value.
func fields(pairs ...string) string {
	var some []string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			some = append(some, pairs[i], pairs[i+1])
		}
	}
	return fleet.Fields(some...)
}

// with adds a value to data.
func with(data, name, value string) string {
	m := map[string]string{}
	if data != "" && json.Unmarshal([]byte(data), &m) != nil {
		return data
	}
	m[name] = value
	b, err := json.Marshal(m)
	if err != nil {
		return data
	}
	return string(b)
}
