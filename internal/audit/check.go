package audit

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// Code says what is wrong.
type Code string

// What can be wrong. The words for it are where people read it.
const (
	Unreadable Code = "unreadable" // not a line of the audit
	Changed    Code = "changed"    // a line does not have its hash: something in it was changed
	Chain      Code = "chain"      // a line does not hold the hash of the one before: one of the two was changed
	Missing    Code = "missing"    // lines From to Line−1 are not there, and no line says that they were dropped
	Order      Code = "order"      // a number that was there already, or out of turn
	Signed     Code = "signed"     // the line is not the one that was signed: something from From to Line was changed
	Cut        Code = "cut"        // a signature says that there was a line Line: From is the first that is not there
	BadHead    Code = "badhead"    // a head that the controller did not sign, or that does not follow from the one before
	NoHead     Code = "nohead"     // nothing is signed
)

// Codes lists all of them.
func Codes() []Code {
	return []Code{Unreadable, Changed, Chain, Missing, Order, Signed, Cut, BadHead, NoHead}
}

// Fault is one thing that is wrong.
type Fault struct {
	Code   Code
	Line   int64  // where it shows; 0 when it is no line's
	From   int64  // first line that may be the cause; 0 when that is Line
	Detail string // operands, as they are
}

// Error makes a Fault an error for operators.
func (f Fault) Error() string {
	text := string(f.Code)
	if f.Line > 0 {
		text = fmt.Sprintf("line %d: %s", f.Line, text)
	}
	if f.From > 0 && f.From != f.Line {
		text += fmt.Sprintf(", from %d", f.From)
	}
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	return text
}

// Report is what a check found.
type Report struct {
	First, Last  int64 // numbers of the lines that were read; 0 for none
	FromUS, ToUS int64 // their times
	Heads        int
	Signed       int64   // the newest line under a signature; 0 for none
	Pruned       int64   // lines up to here were dropped by the retention; 0 for none
	Restores     int     // lines that say that a backup was put in place
	Forgotten    []Head  // witnesses that a restore explains: what they signed is not in this database
	Faults       []Fault // in the order of the lines; the first is where to look
	More         int     // faults that are not in Faults
}

// maxFaults bounds the faults of lines in a Report, and those of heads as well:
// behind one fault others follow by themselves.
const maxFaults = 20

// OpenHead returns the head in envelope when one of the director's keys signed
// it. The errors are those of seal.Open, and ErrHead.
func OpenHead(envelope []byte, director []seal.PublicKey) (Head, error) {
	var h Head
	if _, err := seal.Open(envelope, director, seal.Expect{Type: wire.DocAudit}, &h); err != nil {
		return Head{}, fmt.Errorf("opening head: %w", err)
	}
	if err := h.sane(); err != nil {
		return Head{}, fmt.Errorf("opening head: %w", err)
	}
	return h, nil
}

// ErrHead means that a head is signed but says nothing that can be true.
var ErrHead = errors.New("head makes no sense")

func (h Head) sane() error {
	if h.Version == 0 || h.Line < 1 || len(h.Hash) != 64 || (h.Version == 1) != (h.Prev == "") {
		return ErrHead
	}
	return nil
}

// Checker is told the heads and then every line in order, and reports what is
// wrong.
type Checker struct {
	heads   map[int64]Head // by line
	order   []int64        // lines with heads, ascending
	last    Line
	signed  int64
	dropped map[int64]string // upto → hash, as lines say
	witness map[int64]Head   // kept elsewhere, by line; those that were found right are taken out
	need    *Pruned          // what a line has to say, as the first line is not number 1
	r       Report
	about   []Fault // of heads
}

// NewChecker checks the heads, given in the order of their numbers, against the
// director's keys. A head is good when its own signature is, or when a later
// good one holds its hash: keys are rotated, and old ones forgotten.
func NewChecker(heads [][]byte, director []seal.PublicKey) *Checker {
	c := &Checker{heads: map[int64]Head{}, dropped: map[int64]string{}, witness: map[int64]Head{}}
	vouched := "" // hash that a good head demands of the one before
	all := make([]Head, len(heads))
	bad := make([]error, len(heads))
	for i := len(heads) - 1; i >= 0; i-- {
		hash := seal.Hash(heads[i])
		h, err := OpenHead(heads[i], director)
		if err != nil && vouched == hash {
			if h, err = seal.Peek[Head](heads[i]); err == nil {
				err = h.sane()
			}
		}
		if err == nil && vouched != "" && vouched != hash {
			err = errors.New("the next head holds another hash")
		}
		all[i], bad[i], vouched = h, err, ""
		if err == nil {
			vouched = h.Prev
		}
	}
	for i, h := range all {
		err := bad[i]
		if err == nil && i > 0 && bad[i-1] == nil && (h.Version != all[i-1].Version+1 || h.Line < all[i-1].Line) {
			err = fmt.Errorf("number %d behind %d", h.Version, all[i-1].Version)
		}
		if err != nil {
			c.fault(Fault{Code: BadHead, Detail: fmt.Sprintf("%d: %v", i+1, err)})
			continue
		}
		c.r.Heads++
		if old, ok := c.heads[h.Line]; ok && old.Hash != h.Hash {
			c.fault(Fault{Code: BadHead, Line: h.Line, Detail: "two heads with different hashes"})
		}
		c.heads[h.Line] = h
		if n := len(c.order); n == 0 || c.order[n-1] != h.Line {
			c.order = append(c.order, h.Line)
		}
	}
	return c
}

// fault keeps f, those of lines in front of those of heads.
func (c *Checker) fault(f Fault) {
	list := &c.r.Faults
	if f.Line == 0 {
		list = &c.about
	}
	if len(*list) == maxFaults {
		c.r.More++
		return
	}
	*list = append(*list, f)
}

// Witness has the lines agree with a head that was kept elsewhere, and whose
// signature the caller has checked. It is called before the first Add.
func (c *Checker) Witness(h Head) { c.witness[h.Line] = h }

// Unreadable notes something that stands where the line behind the last one
// should.
func (c *Checker) Unreadable(detail string) {
	c.fault(Fault{Code: Unreadable, Line: c.last.ID + 1, Detail: detail})
}

// Add checks the next line.
func (c *Checker) Add(l Line) {
	switch {
	case c.last.ID == 0:
		c.r.First, c.r.FromUS = l.ID, l.AtUS
		if l.ID > 1 {
			c.need = &Pruned{Upto: l.ID - 1, Hash: l.Prev}
		} else if l.Prev != "" || l.ID < 1 {
			c.fault(Fault{Code: Chain, Line: l.ID})
		}
	case l.ID <= c.last.ID:
		c.fault(Fault{Code: Order, Line: l.ID, Detail: fmt.Sprintf("behind line %d", c.last.ID)})
	case l.ID > c.last.ID+1:
		c.fault(Fault{Code: Missing, Line: l.ID, From: c.last.ID + 1})
	case l.Prev != c.last.Hash:
		c.fault(Fault{Code: Chain, Line: l.ID})
	}
	sum := l.Sum()
	if l.Hash != sum {
		c.fault(Fault{Code: Changed, Line: l.ID})
	}
	if h, ok := c.heads[l.ID]; ok {
		if h.Hash != sum {
			c.fault(Fault{Code: Signed, Line: l.ID, From: c.signed + 1})
		}
		c.signed = l.ID
		c.r.Signed = l.ID
	}
	if c.witness[l.ID].Hash == sum {
		delete(c.witness, l.ID)
	}
	if p, ok := parsePruned(l); ok {
		c.dropped[p.Upto] = p.Hash
	}
	if l.What == WhatRestore && !l.Failed {
		c.r.Restores++
	}
	c.r.Last, c.r.ToUS = l.ID, l.AtUS
	c.last = l
}

// Finish reports. It is called once, after the last line.
func (c *Checker) Finish() Report {
	if c.need != nil {
		if hash, ok := c.dropped[c.need.Upto]; ok && hash == c.need.Hash {
			c.r.Pruned = c.need.Upto
		} else {
			c.fault(Fault{Code: Missing, Line: c.r.First, From: 1})
		}
	}
	for _, line := range c.order {
		switch {
		case line > c.r.Last:
			c.fault(Fault{Code: Cut, Line: line, From: c.r.Last + 1})
		case line < c.r.First && line > c.r.Pruned:
			c.fault(Fault{Code: Missing, Line: c.r.First, From: line})
		}
	}
	for line, h := range c.witness {
		switch {
		case line <= c.r.Pruned:
		case c.r.Restores > 0:
			c.r.Forgotten = append(c.r.Forgotten, h)
		case line > c.r.Last:
			c.fault(Fault{Code: Cut, Line: line, From: c.r.Last + 1, Detail: "signed on " + h.Day})
		default:
			c.fault(Fault{Code: Signed, Line: line, Detail: "signed on " + h.Day})
		}
	}
	if c.r.Heads == 0 && c.r.Last > 0 {
		c.fault(Fault{Code: NoHead})
	}
	slices.SortStableFunc(c.r.Faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	c.r.Faults = append(c.r.Faults, c.about...)
	return c.r
}
