package link

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"gatecast/internal/wire"
)

// Broken is a record that does not follow from the one before it: the journal
// was edited, or the device's card is failing. It is kept like any other.
type Broken struct {
	Device    wire.DeviceID
	Log       wire.LogID
	Seq       wire.Seq
	Want, Got string // hash of the record before; what this one says it is
}

// chain is the end of a journal as far as it was seen. The zero value knows
// nothing, so that the first record after a start is not checked.
type chain struct {
	log wire.LogID
	seq wire.Seq
	sum [sha256.Size]byte // of the record seq
}

// follow checks each record against the one before it where that is known and
// returns those that do not fit.
func (c *chain) follow(d wire.DeviceID, log wire.LogID, records []json.RawMessage) []Broken {
	var broken []Broken
	if c.log != log {
		*c = chain{log: log}
	}
	last := chain{} // the record before in this batch, which may lie behind c
	for _, raw := range records {
		seq, prev, ok := head(raw)
		if !ok {
			last = chain{}
			continue
		}
		want, known := "", seq == 1
		switch {
		case seq == 1:
		case last.seq > 0 && seq == last.seq+1:
			want, known = hex.EncodeToString(last.sum[:]), true
		case c.seq > 0 && seq == c.seq+1:
			want, known = hex.EncodeToString(c.sum[:]), true
		}
		if known && prev != want {
			broken = append(broken, Broken{Device: d, Log: log, Seq: seq, Want: want, Got: prev})
		}
		last = chain{seq: seq, sum: sha256.Sum256(raw)}
		if seq > c.seq {
			c.seq, c.sum = last.seq, last.sum
		}
	}
	return broken
}

// head returns what the chain needs of a record.
func head(raw []byte) (seq wire.Seq, prev string, ok bool) {
	if h, ok := wire.Skim(raw); ok {
		return h.Seq, h.Prev, true
	}
	var r struct {
		Seq  wire.Seq `json:"seq"`
		Prev string   `json:"prev"`
	}
	if json.Unmarshal(raw, &r) != nil || r.Seq == 0 {
		return 0, "", false
	}
	return r.Seq, r.Prev, true
}
