package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"gatecast/internal/evidence"
	"gatecast/internal/seal"
)

// Form begins the first line of an exported file.
const Form = "gatecast-audit-1"

// Preface is the first line of a file of the audit, as JSON. The heads follow,
// one a line as {"head": ENVELOPE}, and then the lines of the audit; the
// newest head is for the last line, so that the whole file is signed.
type Preface struct {
	Form   string          `json:"form"`
	Office string          `json:"office"`
	Zone   string          `json:"zone"`    // IANA name, of the days in heads
	MadeUS int64           `json:"made_us"` // when the file was written
	Upto   int64           `json:"upto"`    // number of the last line in it
	Root   json.RawMessage `json:"root"`    // envelope of the trust root
}

// ErrNoFile means that something is not a file of the audit.
var ErrNoFile = errors.New("not an exported audit")

// maxLine bounds a line of the file: the root has keys and CA pins, a line of
// the audit texts of at most 40 KiB.
const maxLine = 1 << 20

// maxHeads bounds the heads of a file: one a day for 100 years.
const maxHeads = 36_600

// Writer writes a file.
type Writer struct{ w *bufio.Writer }

// NewWriter writes the preface, whose Form is set, and the heads.
func NewWriter(w io.Writer, p Preface, heads [][]byte) (*Writer, error) {
	out := &Writer{bufio.NewWriter(w)}
	p.Form = Form
	if err := out.put(p); err != nil {
		return nil, err
	}
	for _, h := range heads {
		if err := out.put(headLine{h}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type headLine struct {
	Head json.RawMessage `json:"head"`
}

// Add writes the next line.
func (w *Writer) Add(l Line) error { return w.put(l) }

// Close writes what is still buffered. It does not close the writer below.
func (w *Writer) Close() error { return w.w.Flush() }

func (w *Writer) put(v any) error {
	e := json.NewEncoder(w.w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// FileReport is a Report of a file.
type FileReport struct {
	Report
	Preface
	RootHash  string // SHA-256 of the root's envelope, as on a join line
	OtherRoot bool   // it is not the one that was asked for, or signed by no key of its own
}

// Verify checks a file. rootHash is what the trust root has to be, empty for
// any. What is no file of the audit yields ErrNoFile, wrapped; every other
// error is one of reading.
func Verify(r io.Reader, rootHash string) (FileReport, error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), maxLine)
	var v FileReport
	if !s.Scan() {
		return v, errors.Join(ErrNoFile, s.Err())
	}
	if err := strict(s.Bytes(), &v.Preface); err != nil || v.Form != Form {
		return v, fmt.Errorf("%w: it does not begin like one", ErrNoFile)
	}
	v.RootHash = seal.Hash(v.Root)
	root, err := evidence.OpenRoot(v.Root)
	v.OtherRoot = err != nil || rootHash != "" && !strings.EqualFold(rootHash, v.RootHash)
	director, err := seal.ParsePublicKeys(root.DirectorKeys)
	if err != nil {
		v.OtherRoot = true
	}
	heads, more := readHeads(s)
	c := NewChecker(heads, director)
	for ; more; more = s.Scan() {
		var l Line
		if err := strict(s.Bytes(), &l); err != nil {
			c.Unreadable(err.Error())
			continue
		}
		c.Add(l)
	}
	v.Report = c.Finish()
	if err := s.Err(); errors.Is(err, bufio.ErrTooLong) {
		v.Faults = append(v.Faults, Fault{Code: Unreadable, Line: v.Last + 1})
	} else if err != nil {
		return v, fmt.Errorf("reading audit: %w", err)
	}
	if v.Upto > v.Last { // the newest head says so as well, unless it was taken out
		v.Faults = append(v.Faults, Fault{Code: Cut, Line: v.Upto, From: v.Last + 1})
	}
	if v.Signed < v.Last && len(v.Faults) == 0 {
		v.Faults = append(v.Faults, Fault{Code: NoHead, Line: v.Last, From: v.Signed + 1})
	}
	return v, nil
}

// readHeads reads the heads; the line behind them is in s when more.
func readHeads(s *bufio.Scanner) (heads [][]byte, more bool) {
	for s.Scan() {
		var h headLine
		if !bytes.HasPrefix(s.Bytes(), []byte(`{"head":`)) || len(heads) == maxHeads || json.Unmarshal(s.Bytes(), &h) != nil {
			return heads, true
		}
		heads = append(heads, bytes.Clone(h.Head))
	}
	return heads, false
}

// strict parses one line of JSON into v when encoding v gives the same bytes
// again: two names of which a reader sees the one and the check the other do
// not pass.
func strict(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	var again bytes.Buffer
	e := json.NewEncoder(&again)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	if !bytes.Equal(bytes.TrimRight(line, "\r\n"), bytes.TrimRight(again.Bytes(), "\n")) {
		return errors.New("not in the one form there is")
	}
	return nil
}
