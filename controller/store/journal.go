package store

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// journal is what is committed of one log. Guarded by Store.logsMu; changed
// by the writer after a commit only.
type journal struct {
	row   int64
	upto  wire.Seq        // everything up to here
	more  []wire.SeqRange // further runs, ascending, with gaps between
	saved wire.Seq        // upto in the table
}

// Bounds of what a device can make us remember of one journal. A device sends
// its journal in order and fills the holes it is told of from the first, so an
// honest one comes near neither.
const (
	maxRuns  = 1000    // runs with holes between: 16 KB
	farAhead = 1 << 20 // numbers above all before; seven years of them at 400 a day
)

// clone returns a copy that can be changed.
func (j *journal) clone() journal {
	c := *j
	c.more = slices.Clone(j.more)
	return c
}

// fits reports whether r can be added without making more runs than maxRuns.
func (j *journal) fits(r wire.SeqRange) bool {
	if len(j.more) < maxRuns || r.First <= j.upto+1 {
		return true
	}
	i, _ := slices.BinarySearchFunc(j.more, r.First, func(m wire.SeqRange, first wire.Seq) int {
		return cmp.Compare(m.Last+1, first)
	})
	return i < len(j.more) && j.more[i].First <= r.Last+1 // it touches a run
}

// addRange counts the numbers of r as committed.
func (j *journal) addRange(r wire.SeqRange) {
	if r.Last <= j.upto || r.First > r.Last {
		return
	}
	// The runs that r touches become one with it.
	i, _ := slices.BinarySearchFunc(j.more, r.First, func(m wire.SeqRange, first wire.Seq) int {
		return cmp.Compare(m.Last+1, first)
	})
	k := i
	for ; k < len(j.more) && j.more[k].First <= r.Last+1; k++ {
		r.First, r.Last = min(r.First, j.more[k].First), max(r.Last, j.more[k].Last)
	}
	j.more = slices.Replace(j.more, i, k, r)
	if j.more[0].First <= j.upto+1 {
		j.upto = max(j.upto, j.more[0].Last)
		j.more = slices.Delete(j.more, 0, 1)
	}
}

// maxMissing bounds an ack: 100 ranges are 4 KB of JSON.
const maxMissing = 100

// ack returns j for the device. With more gaps than fit, it ends before the
// first one that does not.
func (j *journal) ack(log wire.LogID) wire.Ack {
	a := wire.Ack{Log: log, Upto: j.upto}
	for _, r := range j.more {
		if len(a.Missing) == maxMissing {
			break
		}
		a.Missing = append(a.Missing, wire.SeqRange{First: a.Upto + 1, Last: r.First - 1})
		a.Upto = r.Last
	}
	return a
}

// journalTx returns what is committed of a log before this transaction,
// making its row when there is none; ok is false when the device may not have
// another one yet.
func (s *Store) journalTx(t *tx, d *device, log wire.LogID, now time.Time) (j *journal, ok bool, err error) {
	key := logKey{d.ID, log}
	s.logsMu.Lock()
	j = s.logs[key]
	s.logsMu.Unlock()
	if j != nil {
		return j, true, nil
	}
	j = &journal{}
	var upto int64
	err = t.row(`SELECT id, upto FROM logs WHERE device_id = ? AND log = ?`, d.row, log).Scan(&j.row, &upto)
	if errors.Is(err, sql.ErrNoRows) {
		if ok, err := mayOpenTx(t, d, now); err != nil || !ok {
			return nil, false, err
		}
		err = t.row(`INSERT INTO logs (device_id, log) VALUES (?, ?) RETURNING id`, d.row, log).Scan(&j.row)
	}
	if err != nil {
		return nil, false, err
	}
	j.upto, j.saved = wire.Seq(upto), wire.Seq(upto)
	rows, err := t.query(rangesAbove, j.row, upto)
	if err != nil {
		return nil, false, err
	}
	if err := j.load(rows); err != nil {
		return nil, false, err
	}
	t.after(func() {
		s.logsMu.Lock()
		defer s.logsMu.Unlock()
		if s.logs[key] == nil {
			s.logs[key] = j
		}
	})
	return j, true, nil
}

// A device opens a journal when it is set up and when its card failed it.
const (
	freeLogs  = 64             // that it may open at once
	logsEvery = 24 * time.Hour // and one more in each of these since its first binding
)

// mayOpenTx reports whether d may have one more journal. The bound grows with
// time, so that a device with a failing card is late and never shut out.
func mayOpenTx(t *tx, d *device, now time.Time) (bool, error) {
	var have int64
	if err := t.row(`SELECT count(*) FROM logs WHERE device_id = ?`, d.row).Scan(&have); err != nil {
		return false, err
	}
	since := d.Enrolled
	if len(d.bindings) > 0 {
		since = d.bindings[0].from
	}
	return have < freeLogs+max(0, int64(now.Sub(since)/logsEvery)), nil
}

func manyLogs(id wire.DeviceID) error {
	return &fleet.Error{
		Code:   fleet.Conflict,
		Text:   fmt.Sprintf("设备 %s 新开的日志过多，超出的暂不接收，每天可多开一个。请检查它的存储卡。", id),
		TextEN: fmt.Sprintf("Device %s opened too many journals; those beyond the limit are not taken yet, one more is each day. Check its card.", id),
	}
}

// rangesAbove are the numbers of a log that are accounted for above one.
const rangesAbove = `SELECT seq, seq FROM records WHERE log_id = ?1 AND seq > ?2
UNION SELECT seq, seq FROM dead_letters WHERE log_id = ?1 AND seq > ?2
UNION SELECT first, last FROM voids WHERE log_id = ?1 AND last > ?2 ORDER BY 1`

// load adds the ranges in rows and closes them.
func (j *journal) load(rows *sql.Rows) error {
	ranges, err := collect(rows, func(r scanner) (wire.SeqRange, error) {
		var first, last int64
		err := r.Scan(&first, &last)
		return wire.SeqRange{First: wire.Seq(first), Last: wire.Seq(last)}, err
	})
	for _, r := range ranges {
		j.addRange(r)
	}
	return err
}

// uptoEvery is how far the table may lag behind: so many numbers are read
// when a log is loaded, and so many are appended without a write of their own.
const uptoEvery = 256

func (s *Store) saveUptoTx(t *tx, j *journal) error {
	s.logsMu.Lock()
	upto, saved := j.upto, j.saved
	s.logsMu.Unlock()
	if upto < saved+uptoEvery {
		return nil
	}
	if _, err := t.exec(`UPDATE logs SET upto = ? WHERE id = ?`, int64(upto), j.row); err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM voids WHERE log_id = ? AND last <= ?`, j.row, int64(upto)); err != nil {
		return err
	}
	t.after(func() {
		s.logsMu.Lock()
		defer s.logsMu.Unlock()
		j.saved = max(j.saved, upto)
	})
	return nil
}
