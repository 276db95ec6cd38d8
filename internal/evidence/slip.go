package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// SlipSuffix ends the name of a slip; what stands before it is the name of the
// file that the slip is about.
const SlipSuffix = ".slip.json"

// slipForm is how the file of a slip says what it is.
const slipForm = "gatecast-slip-1"

// Slip is the controller's word for one file that it handed out, such as a
// register or a roster as xlsx or CSV. It lies beside the file and says what
// the bytes were; that the figures in it follow from the journals is what an
// Export proves.
type Slip struct {
	wire.Header
	Code   string `json:"code"` // as it stands in the file's first line
	Office string `json:"office"`
	File   string `json:"file"`  // its name
	Title  string `json:"title"` // what it is, in the words of the office
	By     string `json:"by"`    // login of who took it out
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// slipFile is a slip as it is kept in a file.
type slipFile struct {
	Form string          `json:"form"`
	Root json.RawMessage `json:"root"` // envelope of the trust root
	Slip json.RawMessage `json:"slip"` // envelope of the Slip
}

// Errors of slips.
var (
	// ErrNoSlip means that a file is not a slip.
	ErrNoSlip = errors.New("not a slip")
	// ErrSlipForged means that the controller did not sign the slip.
	ErrSlipForged = errors.New("slip not signed by the controller")
	// ErrSlipChanged means that a file is not the one that a slip is about.
	ErrSlipChanged = errors.New("file is not the one that was handed out")
)

// EncodeSlip returns the file of a slip, one line, from the envelopes of trust
// root and slip, whose bytes stay as they are.
func EncodeSlip(root, slip []byte) ([]byte, error) {
	data, err := json.Marshal(slipFile{slipForm, root, slip})
	if err != nil {
		return nil, fmt.Errorf("encoding slip: %w", err)
	}
	return append(data, '\n'), nil
}

// OpenedSlip is a slip whose signature was looked at.
type OpenedSlip struct {
	Slip
	RootHash  string // of the trust root that comes with it, as on a join line
	OtherRoot bool   // it is not the one that was asked for
}

// OpenSlip reads the file of a slip. rootHash is what the trust root has to
// be, empty for any. What is no slip yields ErrNoSlip; one whose signature or
// trust root does not hold yields ErrSlipForged, with what it claims.
func OpenSlip(data []byte, rootHash string) (OpenedSlip, error) {
	var o OpenedSlip
	var f slipFile
	if len(data) > seal.MaxDocument {
		return o, fmt.Errorf("%w: %d bytes", ErrNoSlip, len(data))
	}
	if err := json.Unmarshal(data, &f); err != nil || f.Form != slipForm {
		return o, ErrNoSlip
	}
	claimed, err := seal.Peek[Slip](f.Slip)
	if err != nil {
		return o, fmt.Errorf("%w: %w", ErrNoSlip, err)
	}
	o.Slip, o.RootHash = claimed, seal.Hash(f.Root)
	o.OtherRoot = rootHash != "" && !strings.EqualFold(rootHash, o.RootHash)
	root, err := OpenRoot(f.Root)
	if err != nil {
		return o, fmt.Errorf("%w: %w", ErrSlipForged, err)
	}
	director, err := seal.ParsePublicKeys(root.DirectorKeys)
	if err != nil {
		return o, fmt.Errorf("%w: %w", ErrSlipForged, err)
	}
	if _, err := seal.Open(f.Slip, director, seal.Expect{Type: wire.DocSlip}, &o.Slip); err != nil {
		return o, fmt.Errorf("%w: %w", ErrSlipForged, err)
	}
	return o, nil
}

// Check compares a file with the slip; ErrSlipChanged tells that it is another
// one.
func (s Slip) Check(file io.Reader) error {
	sum, size, err := Sum(file)
	if err != nil {
		return fmt.Errorf("reading the file of slip %q: %w", s.Code, err)
	}
	if size != s.Size || sum != s.SHA256 {
		return fmt.Errorf("%w: %d bytes with SHA-256 %s, the slip says %d with %s", ErrSlipChanged, size, sum, s.Size, s.SHA256)
	}
	return nil
}

// Sum returns the SHA-256 in hex and the length of what r yields.
func Sum(r io.Reader) (sum string, size int64, err error) {
	h := sha256.New()
	size, err = io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), size, err
}
