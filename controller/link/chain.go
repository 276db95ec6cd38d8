package link

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

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

// head returns what the chain needs of a record. Journals write it in one
// form, which is read without parsing the rest; other forms are parsed.
func head(raw []byte) (seq wire.Seq, prev string, ok bool) {
	if seq, prev, ok = quickHead(raw); ok {
		return seq, prev, true
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

// quickHead reads {"log":"…","seq":N,"prev":"…", and gives up on anything else.
func quickHead(raw []byte) (seq wire.Seq, prev string, ok bool) {
	rest, found := bytes.CutPrefix(raw, []byte(`{"log":"`))
	if !found {
		return 0, "", false
	}
	log, rest, found := bytes.Cut(rest, []byte(`","seq":`))
	if !found || !plain(log) {
		return 0, "", false
	}
	digits, rest, found := bytes.Cut(rest, []byte(`,"prev":"`))
	if !found || len(digits) == 0 || digits[0] < '1' || digits[0] > '9' {
		return 0, "", false
	}
	n, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return 0, "", false
	}
	sum, _, found := bytes.Cut(rest, []byte(`","kind":"`))
	if !found || !plain(sum) {
		return 0, "", false
	}
	// A later field of the same name would win over the one read here.
	if bytes.Count(raw, []byte(`"seq"`)) > 1 || bytes.Count(raw, []byte(`"prev"`)) > 1 {
		return 0, "", false
	}
	return wire.Seq(n), string(sum), true
}

// plain reports whether b is lower-case hex, which needs no unescaping.
func plain(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
