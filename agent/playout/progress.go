package playout

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
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
//
//	 0  8  magic
//	 8 16  SHA-256 of the play's id, first half
//	24  4  milliseconds
//	28  4  CRC32C of bytes 0–27
const progressSize = 32

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

// decodeProgress returns what data knows of play id, 0 for nothing.
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

// counted counts the frames that a sink has taken from a Source.
type counted struct {
	audio.Source
	frames atomic.Int64
}

func (c *counted) Read(dst []float32) (int, error) {
	n, err := c.Source.Read(dst)
	c.frames.Add(int64(n / c.Format().Channels))
	return n, err
}

// follow writes the progress of play id until ctx ends. What has sounded is
// bounded by the time since start and by what the sink has taken; lead is
// silence in front of the clip. A disk that does not take it costs knowledge,
// not the play.
func (e *Engine) follow(ctx context.Context, id wire.PlayID, start time.Time, lead, clip time.Duration, src *counted) {
	f, err := durable.On(e.o.FS).OpenFile(e.o.Progress, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		e.log.Warn("opening progress file", "err", err)
		return
	}
	defer f.Close()
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
		sounded := min(time.Since(start), audio.Frames(src.frames.Load()).Duration(src.Format().Rate)) - lead
		b := encodeProgress(id, min(sounded, clip))
		if _, err := f.WriteAt(b[:], 0); err != nil {
			e.log.Warn("writing progress", "err", err)
			return
		}
		if !synced && sounded >= clip/2 {
			synced = true
			if err := f.SyncData(); err != nil {
				e.log.Warn("syncing progress", "err", err)
				return
			}
		}
	}
}
