// Package audit is the rule by which the lines of the audit hold together,
// and the check of it: the same code in the controller that writes them and
// with a third party that believes nobody.
//
// Three things bind the audit:
//
//   - The chain. Lines are numbered without gaps, and each holds the hash of
//     the one before. The hash of a line is the SHA-256 of "gatecast/audit/v1"
//     and a zero byte, followed by these twelve values in this order, each as
//     its length in bytes (four bytes, most significant first) and its bytes:
//     prev, id, at_us, who, role, from, what, object, detail, before, after,
//     failed. Numbers are decimal, failed is "1" or "0", hashes are lower-case
//     hex, texts are UTF-8. Anybody can compute it, so alone it only shows
//     carelessness.
//   - Heads. Once a day, and at every export, the controller signs number and
//     hash of the newest line with the director's key. Heads are numbered, and
//     each holds the hash of the one before, so that none can be taken out.
//   - Copies. The newest head also stands in a file outside the database, in
//     every evidence export and in the controller's log.
//
// Who can do what: whoever has the database alone can rewrite or cut off only
// what stands behind the newest head that anybody else has seen. Whoever has
// the director's key as well can rewrite everything, but not the exports that
// others keep.
//
// Lines that are older than the retention are dropped from the beginning, and
// a line of the chain says how many and with which hash the last of them
// ended: see Pruned. Everything else that is missing is a fault.
//
// The package is pure: it reads what it is given and has no clock. A Checker
// is used by one goroutine; everything else is safe for concurrent use.
package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"gatecast/internal/wire"
)

// Line is one line of the audit: who did what, when and from where. Texts are
// valid UTF-8.
type Line struct {
	ID     int64  `json:"id"`     // from 1, without gaps
	AtUS   int64  `json:"at_us"`  // microseconds since 1970 UTC
	Who    string `json:"who"`    // login, or what was typed for one; a name in brackets is a part of the program
	Role   string `json:"role"`   // of the account then; empty where nobody was logged in
	From   string `json:"from"`   // network address; empty for what the controller did by itself
	What   string `json:"what"`   // action code
	Object string `json:"object"` // what it was done to
	Detail string `json:"detail"` // whatever else is to be known
	Before string `json:"before"` // how it was; text, or a JSON object of fields
	After  string `json:"after"`  // how it is since
	Failed bool   `json:"failed"` // it was refused or did not succeed
	Prev   string `json:"prev"`   // hash of the line before; empty for the first line
	Hash   string `json:"hash"`   // of all the above
}

// domain begins what is hashed of a line.
const domain = "gatecast/audit/v1\x00"

// Sum returns the hash that l must have; its own Hash is ignored.
func (l Line) Sum() string {
	failed := "0"
	if l.Failed {
		failed = "1"
	}
	buf := make([]byte, 0, 512)
	buf = append(buf, domain...)
	for _, v := range [...]string{
		l.Prev, strconv.FormatInt(l.ID, 10), strconv.FormatInt(l.AtUS, 10), l.Who, l.Role, l.From, l.What, l.Object, l.Detail, l.Before, l.After, failed,
	} {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(v)))
		buf = append(buf, v...)
	}
	sum := sha256.Sum256(buf)
	return hex.EncodeToString(sum[:])
}

// Follow returns l as the line behind the one with that number and hash; 0 and
// "" begin the chain.
func (l Line) Follow(id int64, hash string) Line {
	l.ID, l.Prev = id+1, hash
	l.Hash = l.Sum()
	return l
}

// Head is the controller's signature under the audit as far as it goes. Its
// Version numbers the heads from 1.
type Head struct {
	wire.Header
	Line int64  `json:"line"` // number of the newest line
	Hash string `json:"hash"` // of that line
	Day  string `json:"day"`  // the office's date on which it was signed, 2006-01-02
	Prev string `json:"prev"` // hex SHA-256 of the envelope of the head before; empty for the first
}

// Codes of lines that the check itself must understand.
const (
	WhatPruned  = "audit_pruned" // After is Pruned as JSON
	WhatRestore = "restore"      // the database was put in place from a backup
)

// Pruned says that all lines up to Upto were dropped because they were older
// than the retention.
type Pruned struct {
	Upto int64  `json:"upto"`  // last line that is gone
	Hash string `json:"hash"`  // of that line
	AtUS int64  `json:"at_us"` // its time
}

// Text returns p in the form of a line's After.
func (p Pruned) Text() string {
	b, _ := json.Marshal(p) // numbers and hex
	return string(b)
}

func parsePruned(l Line) (p Pruned, ok bool) {
	if l.What != WhatPruned || l.Failed {
		return p, false
	}
	err := json.Unmarshal([]byte(l.After), &p)
	return p, err == nil && p.Upto > 0
}
