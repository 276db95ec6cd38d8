package durable

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
)

// ErrDamaged means that a file is not as it was written.
var ErrDamaged = errors.New("file is damaged")

// A checked file ends with a line that names the CRC32C of what is before it.
const (
	checkMark = "\n#crc32c "
	checkLen  = len(checkMark) + 8 + 1
)

// WriteChecked is WriteFile of data and a checksum, so that ReadChecked finds
// any bit that a card flips in it.
func (v Volume) WriteChecked(path string, data []byte, perm fs.FileMode) error {
	return v.WriteFile(path, append(bytes.Clone(data), checkLine(data)...), perm)
}

// ReadChecked returns the data that WriteChecked wrote to path, or ErrDamaged.
// A file without a checksum is returned as it is: a version that knew none
// wrote it, and the caller has to make sense of it. The mark of a checksum
// that was itself damaged is then part of what is returned; it fits into
// neither JSON nor a number.
func (v Volume) ReadChecked(path string) ([]byte, error) {
	data, err := v.ReadFile(path)
	if err != nil {
		return nil, err
	}
	at := len(data) - checkLen
	if at < 0 || !bytes.HasPrefix(data[at:], []byte(checkMark)) {
		return data, nil
	}
	if !bytes.Equal(data[at:], checkLine(data[:at])) {
		return nil, fmt.Errorf("reading %q: %w", path, ErrDamaged)
	}
	return data[:at], nil
}

func checkLine(data []byte) []byte {
	return fmt.Appendf(nil, "%s%08x\n", checkMark, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
}
