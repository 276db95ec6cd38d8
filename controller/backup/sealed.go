package backup

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/argon2"
)

// A sealed backup is the archive behind sealMagic and a salt, in chunks of
// chunkSize bytes, each under AES-256-GCM with the number of the chunk as
// nonce and a last byte that marks the final one: the STREAM construction of
// Hoang, Reyhanitabar, Rogaway and Vizár (2015). A chunk that is changed, left
// out, added or in another place does not open, and neither does a file that
// was cut off. The key is argon2id of the passphrase and the salt, which is
// drawn for each file, so no two files share a key.
const (
	sealMagic = "gatecast-sealed-backup-1\n"
	saltSize  = 16
	chunkSize = 64 << 10
)

// Cost of argon2id: the second choice of RFC 9106 is for 64 MiB; passphrases
// here have 120 bits, so that 19 MiB twice (OWASP) is more than enough, also
// on a small computer.
const (
	kdfTime   = 2
	kdfMemory = 19 << 10 // KiB
)

// Errors of sealed backups.
var (
	// ErrPassphrase means that a backup is sealed and no passphrase was given.
	ErrPassphrase = errors.New("the backup is sealed and needs its passphrase")
	// errSeal means that a chunk does not open.
	errSeal = errors.New("the passphrase is wrong, or the file is damaged")
)

func sealKey(passphrase string, salt []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(argon2.IDKey([]byte(Normal(passphrase)), salt, kdfTime, kdfMemory, 1, 32))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// nonce is 7 zeros, the number of the chunk, and whether it is the last.
func nonce(number uint32, last bool) []byte {
	n := make([]byte, 12)
	binary.BigEndian.PutUint32(n[7:], number)
	if last {
		n[11] = 1
	}
	return n
}

// sealWriter seals what is written to it; Close writes the last chunk and
// leaves w open.
type sealWriter struct {
	w      io.Writer
	aead   cipher.AEAD
	number uint32
	buf    []byte
}

func newSealWriter(w io.Writer, passphrase string) (*sealWriter, error) {
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return nil, fmt.Errorf("drawing a salt: %w", err)
	}
	aead, err := sealKey(passphrase, salt)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(append([]byte(sealMagic), salt...)); err != nil {
		return nil, err
	}
	return &sealWriter{w: w, aead: aead, buf: make([]byte, 0, chunkSize)}, nil
}

func (s *sealWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if len(s.buf) == chunkSize { // more follows, so it is not the last
			if err := s.flush(false); err != nil {
				return n, err
			}
		}
		k := min(chunkSize-len(s.buf), len(p))
		s.buf, p, n = append(s.buf, p[:k]...), p[k:], n+k
	}
	return n, nil
}

func (s *sealWriter) flush(last bool) error {
	_, err := s.w.Write(s.aead.Seal(nil, nonce(s.number, last), s.buf, nil))
	s.number, s.buf = s.number+1, s.buf[:0]
	if s.number == 0 {
		return errors.New("more than 256 TB in one backup")
	}
	return err
}

func (s *sealWriter) Close() error { return s.flush(true) }

// sealReader opens what a sealWriter wrote.
type sealReader struct {
	r      *bufio.Reader
	aead   cipher.AEAD
	number uint32
	plain  []byte
	done   bool
}

// open returns the archive in r, which is sealed or plain.
func open(r io.Reader, passphrase string) (io.Reader, error) {
	b := bufio.NewReaderSize(r, chunkSize+64)
	magic, err := b.Peek(len(sealMagic))
	if err != nil || !bytes.Equal(magic, []byte(sealMagic)) {
		return b, nil // not sealed: what it is, is seen when it is read
	}
	if passphrase == "" {
		return nil, ErrPassphrase
	}
	head := make([]byte, len(sealMagic)+saltSize)
	if _, err := io.ReadFull(b, head); err != nil {
		return nil, errSeal
	}
	aead, err := sealKey(passphrase, head[len(sealMagic):])
	if err != nil {
		return nil, err
	}
	return &sealReader{r: b, aead: aead}, nil
}

func (s *sealReader) Read(p []byte) (int, error) {
	for len(s.plain) == 0 {
		if s.done {
			return 0, io.EOF
		}
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.plain)
	s.plain = s.plain[n:]
	return n, nil
}

func (s *sealReader) next() error {
	sealed := make([]byte, chunkSize+s.aead.Overhead())
	n, err := io.ReadFull(s.r, sealed)
	if err != nil && err != io.ErrUnexpectedEOF {
		if err == io.EOF {
			return errSeal // cut off between two chunks
		}
		return err
	}
	_, more := s.r.Peek(1)
	s.done = more == io.EOF
	if s.plain, err = s.aead.Open(nil, nonce(s.number, s.done), sealed[:n], nil); err != nil {
		return errSeal
	}
	s.number++
	return nil
}
