package evidence

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// Files of an export. Records stand in the files that Contents names, one a
// line in the order of their numbers.
const (
	ContentsFile = "contents.json"   // envelope of Contents by the director
	RootFile     = "trust/root.json" // envelope of the trust root
	ReceiptsFile = "receipts.jsonl"  // envelopes of receipts, one a line
)

// Contents is the table of contents of an export, sealed by the controller.
type Contents struct {
	wire.Header
	Office  string           `json:"office"`
	From    string           `json:"from"` // dates of the office, both included, 2006-01-02
	To      string           `json:"to"`
	Zone    string           `json:"zone"`
	Point   string           `json:"point,omitempty"` // code; empty for all
	Devices []ContentsDevice `json:"devices"`
	Logs    []ContentsLog    `json:"logs"`
	Files   []ContentsSum    `json:"files"`
}

// ContentsDevice is a device whose records are in an export.
type ContentsDevice struct {
	Device wire.DeviceID `json:"device"`
	Key    []byte        `json:"key"`    // public key: SPKI in DER
	Points []string      `json:"points"` // codes of the points that it was bound to
	State  string        `json:"state"`
}

// ContentsLog is the part of a log that is in an export: every record that
// the controller has from First to Last. It begins with the first record of
// the period and goes on behind its end to the next checkpoint and receipt,
// so that both cover the period.
type ContentsLog struct {
	Device wire.DeviceID `json:"device"`
	Log    wire.LogID    `json:"log"`
	File   string        `json:"file"`
	First  wire.Seq      `json:"first"`
	Last   wire.Seq      `json:"last"`
	Count  int64         `json:"count"`
}

// ContentsSum is a file and the SHA-256 of its bytes.
type ContentsSum struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// EncodeLine returns raw as one line without its end: as it is, or in base64
// when it is not one line of JSON.
func EncodeLine(raw []byte) []byte {
	if len(raw) > 0 && raw[0] == '{' && !bytes.ContainsAny(raw, "\r\n") && !bytes.HasPrefix(raw, []byte(armour)) {
		return raw
	}
	return []byte(armour + base64.StdEncoding.EncodeToString(raw) + `"}`)
}

// armour begins a line that holds its record in base64.
const armour = `{"base64":"`

// DecodeLine is the inverse of EncodeLine. A line that is neither form is
// returned as it is.
func DecodeLine(line []byte) []byte {
	text, armoured := bytes.CutPrefix(line, []byte(armour))
	text, ended := bytes.CutSuffix(text, []byte(`"}`))
	if !armoured || !ended {
		return line
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil {
		return line
	}
	return raw
}

// maxLine bounds a line; a record has at most 16 KiB.
const maxLine = 256 << 10

// maxContents bounds the table of contents: 10,000 devices with three logs
// each need 16 MB.
const maxContents = 64 << 20

// Export is an opened export. It reads its files each time it is asked.
type Export struct {
	Contents Contents
	Root     wire.Root
	RootHash string   // SHA-256 of the envelope, as on a join line
	Faults   []Fault  // of the export's own files
	Receipts [][]byte // envelopes

	files fs.FS
}

// ErrNoExport means that a folder or archive is not an export.
var ErrNoExport = errors.New("not an export of a controller")

// OpenExport reads the table of contents of an export and checks the hash of
// every file. What is not as it was sealed is in Faults; the rest can be
// verified all the same, so that the first bad record is found by its number.
// rootHash is what the trust root has to be, empty for any.
func OpenExport(files fs.FS, rootHash string) (*Export, error) {
	e := &Export{files: files}
	envelope, err := readSmall(files, ContentsFile, maxContents)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no %s", ErrNoExport, ContentsFile)
	}
	if err != nil {
		return nil, fmt.Errorf("opening export: %w", err)
	}
	root, err := readSmall(files, RootFile, seal.MaxDocument)
	if err != nil {
		return nil, fmt.Errorf("%w: reading %s: %w", ErrNoExport, RootFile, err)
	}
	e.RootHash = seal.Hash(root)
	if e.Root, err = OpenRoot(root); err != nil || rootHash != "" && !strings.EqualFold(rootHash, e.RootHash) {
		e.fault(RootFile, fmt.Sprintf("trust root %s", e.RootHash))
	}
	if e.Contents, err = seal.Peek[Contents](envelope); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNoExport, ContentsFile, err)
	}
	director, err := seal.ParsePublicKeys(e.Root.DirectorKeys)
	if err == nil {
		var c Contents
		_, err = seal.OpenLarge(envelope, maxContents, director, seal.Expect{Type: wire.DocExport}, &c)
	}
	if err != nil {
		e.fault(ContentsFile, err.Error())
	}
	return e, e.sums()
}

func (e *Export) fault(file, detail string) {
	e.Faults = append(e.Faults, Fault{Code: Changed, Detail: file + ": " + detail})
}

// Director returns the keys that sign receipts.
func (e *Export) Director() []seal.PublicKey {
	keys, err := ReceiptKeys(e.Root)
	if err != nil {
		return nil
	}
	return keys
}

// sums compares every file with its hash.
func (e *Export) sums() error {
	listed := map[string]bool{}
	for _, want := range e.Contents.Files {
		listed[want.File] = true
		f, err := e.open(want.File)
		if err != nil {
			e.fault(want.File, "missing")
			continue
		}
		h := sha256.New()
		n, err := io.Copy(h, f)
		_ = f.Close()
		if err != nil {
			e.fault(want.File, err.Error())
		} else if n != want.Size || hex.EncodeToString(h.Sum(nil)) != want.SHA256 {
			e.fault(want.File, "SHA-256")
		}
	}
	for _, file := range append([]string{RootFile, ReceiptsFile}, e.logFiles()...) {
		if !listed[file] {
			e.fault(file, "not listed")
		}
	}
	return e.lines(ReceiptsFile, func(line []byte) { e.Receipts = append(e.Receipts, bytes.Clone(line)) })
}

func (e *Export) logFiles() (names []string) {
	for _, l := range e.Contents.Logs {
		names = append(names, l.File)
	}
	return names
}

// open opens a file of the export by a name from the contents.
func (e *Export) open(name string) (fs.File, error) {
	if !fs.ValidPath(name) || path.IsAbs(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return e.files.Open(name)
}

// lines calls see with each line of a file; a missing file has none. A line
// that is too long is given as nil, and the file is not read on.
func (e *Export) lines(name string, see func([]byte)) error {
	f, err := e.open(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return nil // its sum has said so
	}
	if err != nil {
		return fmt.Errorf("reading %q: %w", name, err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(make([]byte, 0, 32<<10), maxLine)
	for s.Scan() {
		if len(s.Bytes()) > 0 {
			see(s.Bytes())
		}
	}
	if err := s.Err(); errors.Is(err, bufio.ErrTooLong) {
		see(nil)
	} else if err != nil {
		e.fault(name, err.Error()) // a damaged archive
	}
	return nil
}

// Logs implements Source.
func (e *Export) Logs() []LogInfo {
	infos := make([]LogInfo, 0, len(e.Contents.Logs))
	for _, l := range e.Contents.Logs {
		infos = append(infos, LogInfo{Device: l.Device, Log: l.Log, First: l.First, Last: l.Last})
	}
	return infos
}

// Read implements Source.
func (e *Export) Read(i LogInfo, see func(raw []byte), _ func(first, last wire.Seq)) error {
	for _, l := range e.Contents.Logs {
		if l.Device == i.Device && l.Log == i.Log {
			return e.lines(l.File, func(line []byte) { see(DecodeLine(line)) })
		}
	}
	return nil
}

var _ Source = (*Export)(nil)

func readSmall(files fs.FS, name string, most int64) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%q is larger than %d bytes", name, most)
	}
	return data, err
}

// VerifyExport opens and checks an export.
func VerifyExport(files fs.FS, rootHash string) (*Export, Report, error) {
	e, err := OpenExport(files, rootHash)
	if err != nil {
		return nil, Report{}, err
	}
	r, err := Verify(e, Options{Director: e.Director(), Receipts: e.Receipts})
	r.Faults = append(r.Faults, e.Faults...)
	return e, r, err
}
