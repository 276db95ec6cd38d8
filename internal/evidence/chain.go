package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"gatecast/internal/wire"
)

// Hash returns the lower-case hex SHA-256 of a record's exact bytes: the Prev
// of the record behind it.
func Hash(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// Head returns what the chain needs of a record. It reads the form that
// journals write quickly and any other JSON correctly.
func Head(raw []byte) (wire.Head, error) {
	if h, ok := wire.Skim(raw); ok {
		return h, nil
	}
	var r wire.Record
	if err := json.Unmarshal(raw, &r); err != nil {
		return wire.Head{}, err
	}
	if r.Seq == 0 {
		return wire.Head{}, errors.New("no sequence number")
	}
	return wire.Head{Log: r.Log, Seq: r.Seq, Prev: r.Prev, Kind: r.Kind, AtUS: r.AtUS}, nil
}

// Tail is the newest record of a log as far as it is known. The zero value
// knows nothing.
type Tail struct {
	Log  wire.LogID
	Seq  wire.Seq
	Hash string // of record Seq
}

// Behind returns the tail whose newest record is raw, with the head h.
func Behind(h wire.Head, raw []byte) Tail { return Tail{Log: h.Log, Seq: h.Seq, Hash: Hash(raw)} }

// Want returns the Prev that record seq of t's log must have, and whether
// that is known: it is for the first record of a log, and for the one right
// behind t.
func (t Tail) Want(seq wire.Seq) (prev string, known bool) {
	switch {
	case seq == 1:
		return "", true
	case t.Seq > 0 && seq == t.Seq+1:
		return t.Hash, true
	}
	return "", false
}
