package playout

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"sync/atomic"
	"time"

	"gatecast/audio"
	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

// The progress file says how much of the play that is under way has sounded,
// so that a play which power or a signal ended is recorded with what is known
// of it. It is one small page, overwritten in place each second and synced
// once, in the middle of the clip: a killed program loses a second of
// knowledge, a power cut at most half a clip, and a play costs one page more.
// Before its intent it says of a play that the sink took nothing of it yet, so
// that a program killed in between knows that nothing sounded.
//
//	 0  8  magic
//	 8 16  SHA-256 of the play's id, first half
//	24  4  milliseconds, all bits set while the sink took nothing
//	28  4  CRC32C of bytes 0–27
const progressSize = 32

// sinkLag is by how much a sink may be behind what it has taken and behind its
// instant: half a second is the buffer of aplay, and more than a sound server
// needs. So much less is claimed, for what is claimed must have sounded.
const sinkLag = 500 * time.Millisecond

// armed is the progress of a play of which the sink took nothing yet.
const armed = math.MaxUint32 * time.Millisecond

var progressMagic = [8]byte{'g', 'c', 'P', 'R', 'O', 'G', '1', '\n'}

func encodeProgress(id wire.PlayID, sounded time.Duration) [progressSize]byte {
	var b [progressSize]byte
	copy(b[:], progressMagic[:])
	sum := sha256.Sum256([]byte(id))
	copy(b[8:24], sum[:])
	binary.LittleEndian.PutUint32(b[24:], uint32(max(0, sounded.Milliseconds())))
	binary.LittleEndian.PutUint32(b[28:], crc32.Checksum(b[:28], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// decodeProgress returns what data knows of play id: armed, or how much has
// sounded at least, 0 when it tells of another play or is torn.
func decodeProgress(data []byte, id wire.PlayID) time.Duration {
	if len(data) < progressSize {
		return 0
	}
	sounded := time.Duration(binary.LittleEndian.Uint32(data[24:])) * time.Millisecond
	if encodeProgress(id, sounded) != [progressSize]byte(data[:progressSize]) {
		return 0 // of another play, or torn
	}
	return sounded
}

// readProgress is decodeProgress of the file, which need not exist.
func (e *Engine) readProgress(id wire.PlayID) (time.Duration, error) {
	if e.o.Progress == "" {
		return 0, nil
	}
	data, err := durable.On(e.o.FS).ReadFile(e.o.Progress)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading progress: %w", err)
	}
	return decodeProgress(data, id), nil
}

// marker keeps the progress file during one play. A disk that does not take it
// costs knowledge, not the play. A nil marker does nothing.
type marker struct {
	f   durable.File
	id  wire.PlayID
	log *slog.Logger
}

// arm opens the progress file and says that nothing of play id sounded yet. It
// returns nil when there is no such file.
func (e *Engine) arm(id wire.PlayID) *marker {
	if e.o.Progress == "" {
		return nil
	}
	f, err := durable.On(e.o.FS).OpenFile(e.o.Progress, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		e.log.Warn("opening progress file", "err", err)
		return nil
	}
	m := &marker{f, id, e.log}
	if !m.write(armed) {
		m.close()
		return nil
	}
	return m
}

// write says how much has sounded and reports whether that worked. What the
// file says afterwards is never more than is true: when armed cannot be
// overwritten the file is emptied.
func (m *marker) write(sounded time.Duration) bool {
	b := encodeProgress(m.id, sounded)
	if _, err := m.f.WriteAt(b[:], 0); err != nil {
		m.log.Warn("writing progress", "err", errors.Join(err, m.f.Truncate(0)))
		return false
	}
	return true
}

func (m *marker) close() {
	if m != nil {
		_ = m.f.Close() // what counts in it is synced
	}
}

// counted counts the frames that a sink has taken from a Source, and has the
// first taking marked before it happens.
type counted struct {
	audio.Source
	begin  func()
	frames atomic.Int64
}

func (c *counted) Read(dst []float32) (int, error) {
	if c.frames.Load() == 0 {
		c.begin()
	}
	n, err := c.Source.Read(dst)
	c.frames.Add(int64(n / c.Format().Channels))
	return n, err
}

// follow writes the progress of a play until ctx ends. What has sounded is
// bounded by the time since start and by what the sink has taken; lead is
// silence in front of the clip.
func (m *marker) follow(ctx context.Context, start time.Time, lead, clip time.Duration, src *counted) {
	if sleepUntil(ctx, start) != nil {
		return
	}
	synced := false
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		frames := src.frames.Load()
		if frames == 0 {
			continue
		}
		sounded := min(time.Since(start), audio.Frames(frames).Duration(src.Format().Rate)) - lead
		if !m.write(max(0, min(sounded-sinkLag, clip))) {
			return
		}
		if !synced && sounded >= clip/2 {
			synced = true
			if err := m.f.SyncData(); err != nil {
				m.log.Warn("syncing progress", "err", err)
				return
			}
		}
	}
}
