package enrol

import (
	"encoding/hex"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// MaxLine bounds what ParseJoinLine and a join file may hold, in bytes.
const MaxLine = 4096

// Line is what a person was given to enrol a device.
type Line struct {
	URL      string // https://host:port of the controller's device port
	Code     string // join code as typed
	RootHash string // 64 lower-case hex digits, of the trust root's envelope
}

// String returns l as the one line to paste.
func (l Line) String() string {
	return "gatecast-agent join " + l.URL + " " + l.Code + " " + l.RootHash
}

// ParseJoinLine finds a join line in text, which may be the line itself, its
// three operands alone, or a file with comments (#) and empty lines around
// it. A prompt, sudo, a path before the program's name, quotes and a byte
// order mark do not matter. Every error is an *Error with code BadLine.
func ParseJoinLine(text string) (Line, error) {
	if len(text) > MaxLine {
		return Line{}, badLine("more than %d bytes", MaxLine)
	}
	text = strings.TrimPrefix(text, "\ufeff")
	var words []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
			continue
		}
		words = append(words, strings.Fields(line)...)
	}
	for i, w := range words {
		words[i] = strings.Trim(w, "\"'`“”‘’")
	}
	for len(words) > 0 && !strings.Contains(words[0], "://") {
		words = words[1:]
	}
	if len(words) < 3 {
		return Line{}, badLine("the line needs an address, a join code and a fingerprint")
	}
	last := len(words) - 1
	return NewLine(words[0], strings.Join(words[1:last], "-"), words[last])
}

// NewLine checks the three operands of a join line one by one and returns
// them in their normal form.
func NewLine(address, code, rootHash string) (Line, error) {
	u, err := url.Parse(address)
	if err != nil {
		return Line{}, badLine("address %q cannot be read", address)
	}
	port, perr := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case u.Scheme != "https":
		return Line{}, badLine("address %q must begin with https://", address)
	case u.Hostname() == "" || perr != nil || port == 0:
		return Line{}, badLine("address %q must be https://HOST:PORT", address)
	case strings.ContainsAny(u.Hostname(), " \t/@") || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return Line{}, badLine("address %q must be https://HOST:PORT and nothing else", address)
	}
	if !plausibleCode(code) {
		return Line{}, badLine("join code %q is not letters and digits", code)
	}
	rootHash = strings.ToLower(rootHash)
	if b, err := hex.DecodeString(rootHash); err != nil || len(b) != 32 {
		return Line{}, badLine("fingerprint %q is not 64 hex digits", rootHash)
	}
	host := net.JoinHostPort(u.Hostname(), strconv.FormatUint(port, 10))
	return Line{URL: "https://" + host, Code: code, RootHash: rootHash}, nil
}

// plausibleCode reports whether code could be a join code: 4 to 64 letters,
// digits and dashes. What it really is, the controller decides.
func plausibleCode(code string) bool {
	if len(code) < 4 || len(code) > 64 {
		return false
	}
	for _, c := range code {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-':
		default:
			return false
		}
	}
	return true
}
