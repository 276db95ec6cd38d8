package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"gatecast/internal/durable"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// Folder is a journal's folder as it lies there, for whoever wants to judge
// it: nothing is mended, left out or believed, and nothing is written. It is
// an evidence.Source.
type Folder struct{ j *Journal }

var _ evidence.Source = (*Folder)(nil)

// OpenFolder lists the logs in dir. Its owner may go on appending. A folder
// without segments yields fs.ErrNotExist.
func OpenFolder(dir string) (*Folder, error) {
	f := &Folder{&Journal{dir: dir, fs: durable.On(nil), log: slog.New(slog.DiscardHandler)}}
	if err := f.j.list(); err != nil {
		return nil, fmt.Errorf("opening journal %q: %w", dir, err)
	}
	if len(f.j.logs) == 0 {
		return nil, fmt.Errorf("opening journal %q: no segments: %w", dir, fs.ErrNotExist)
	}
	return f, nil
}

// Logs implements evidence.Source.
func (f *Folder) Logs() []evidence.LogInfo {
	infos := make([]evidence.LogInfo, len(f.j.logs))
	for i, c := range f.j.logs {
		infos[i] = evidence.LogInfo{Log: c.id}
	}
	return infos
}

// Read implements evidence.Source: frames are found by their checksums alone.
func (f *Folder) Read(i evidence.LogInfo, see func(raw []byte), lost func(first, last wire.Seq)) error {
	for n, c := range f.j.logs {
		if c.id != i.Log {
			continue
		}
		for k, s := range c.segs {
			data, err := f.j.fs.ReadFile(s.path)
			if errors.Is(err, fs.ErrNotExist) {
				continue // dropped since
			}
			if err != nil {
				return err
			}
			s.frames(data, n == len(f.j.logs)-1 && k == len(c.segs)-1, see, lost)
		}
	}
	return nil
}

// frames calls see with the payload of each frame of the segment in order,
// and lost with the numbers of those that cannot be read. tail says that s is
// the newest segment of all, where a torn frame is no loss.
func (s *segment) frames(data []byte, tail bool, see func([]byte), lost func(first, last wire.Seq)) {
	off, seq := dataStart, s.first
	for off < len(data) {
		f, err := parseFrame(data, off, s.id, seq)
		if err == nil {
			see(f.payload)
			off, seq = off+f.size, seq+1
			continue
		}
		if errors.Is(err, errEnd) || errors.Is(err, errTorn) && tail {
			return
		}
		at, next, ok := findFrame(data, off, s.id, seq)
		if !ok {
			if !errors.Is(err, errTorn) {
				lost(seq, seq)
			}
			return
		}
		lost(seq, next.seq-1)
		off, seq = at, next.seq
	}
}
