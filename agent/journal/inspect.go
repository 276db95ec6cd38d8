package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

// Summary is what a journal's folder tells.
type Summary struct {
	Log     wire.LogID // the one that is written to; empty without a journal
	Last    wire.Seq
	Acked   wire.Seq // at least: newer acks may be in the owner's memory
	Records int64    // readable ones, of all logs
	Bytes   int64    // of all segments
}

// Inspect reads the journal in dir without opening it: nothing is written,
// locked or mended, and its owner may go on appending. see gets every record,
// oldest first; nil for nobody. A folder without a journal yields the zero
// Summary.
func Inspect(dir string, see func(wire.Record)) (Summary, error) {
	j := &Journal{dir: dir, fs: durable.On(nil), log: slog.New(slog.DiscardHandler)}
	if err := j.list(); errors.Is(err, fs.ErrNotExist) {
		return Summary{}, nil
	} else if err != nil {
		return Summary{}, fmt.Errorf("inspecting journal %q: %w", dir, err)
	}
	var sum Summary
	for i, c := range j.logs {
		c.last = c.segs[0].first - 1
		for k, s := range c.segs {
			data, whole, err := j.readSegment(s)
			if errors.Is(err, fs.ErrNotExist) {
				continue // dropped since
			}
			if err != nil {
				return Summary{}, fmt.Errorf("inspecting journal %q: %w", dir, err)
			}
			newest := whole && i == len(j.logs)-1 && k == len(c.segs)-1
			r := s.read(data, "", newest, func(_ envelope, payload []byte) {
				sum.Records++
				var rec wire.Record
				if see != nil && json.Unmarshal(payload, &rec) == nil {
					see(rec)
				}
			})
			sum.Bytes += int64(len(data))
			c.last = max(c.last, s.last())
			if r.frames > 0 {
				c.acked = r.acked
			}
		}
	}
	j.loadAcks()
	if len(j.logs) > 0 {
		c := j.current()
		sum.Log, sum.Last, sum.Acked = c.id, c.last, c.acked
	}
	return sum, nil
}
