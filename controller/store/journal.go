package store

import (
	"database/sql"
	"slices"

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

// add counts seq as committed.
func (j *journal) add(seq wire.Seq) {
	if seq <= j.upto {
		return
	}
	i, there := slices.BinarySearchFunc(j.more, seq, func(r wire.SeqRange, seq wire.Seq) int {
		switch {
		case r.Last < seq:
			return -1
		case r.First > seq:
			return 1
		}
		return 0
	})
	if there {
		return
	}
	j.more = slices.Insert(j.more, i, wire.SeqRange{First: seq, Last: seq})
	if i+1 < len(j.more) && j.more[i+1].First == seq+1 {
		j.more[i].Last = j.more[i+1].Last
		j.more = slices.Delete(j.more, i+1, i+2)
	}
	if i > 0 && j.more[i-1].Last == seq-1 {
		j.more[i-1].Last = j.more[i].Last
		j.more = slices.Delete(j.more, i, i+1)
	}
	if j.more[0].First == j.upto+1 {
		j.upto = j.more[0].Last
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
// making its row when there is none.
func (s *Store) journalTx(t *tx, d *device, log wire.LogID) (*journal, error) {
	key := logKey{d.ID, log}
	s.logsMu.Lock()
	j := s.logs[key]
	s.logsMu.Unlock()
	if j != nil {
		return j, nil
	}
	j = &journal{}
	var upto int64
	err := t.row(`INSERT INTO logs (device_id, log) VALUES (?, ?) ON CONFLICT (device_id, log) DO UPDATE SET upto = upto RETURNING id, upto`, d.row, log).Scan(&j.row, &upto)
	if err != nil {
		return nil, err
	}
	j.upto, j.saved = wire.Seq(upto), wire.Seq(upto)
	rows, err := t.query(seqsAbove, j.row, upto)
	if err != nil {
		return nil, err
	}
	if err := j.load(rows); err != nil {
		return nil, err
	}
	t.after(func() {
		s.logsMu.Lock()
		defer s.logsMu.Unlock()
		if s.logs[key] == nil {
			s.logs[key] = j
		}
	})
	return j, nil
}

const seqsAbove = `SELECT seq FROM records WHERE log_id = ?1 AND seq > ?2 UNION SELECT seq FROM dead_letters WHERE log_id = ?1 AND seq > ?2`

// load adds the sequence numbers in rows and closes them.
func (j *journal) load(rows *sql.Rows) error {
	seqs, err := collect(rows, func(r scanner) (seq int64, err error) {
		err = r.Scan(&seq)
		return seq, err
	})
	for _, seq := range seqs {
		j.add(wire.Seq(seq))
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
	t.after(func() {
		s.logsMu.Lock()
		defer s.logsMu.Unlock()
		j.saved = max(j.saved, upto)
	})
	return nil
}
