package web

import (
	"sync"
	"time"
)

// previews keeps the sound of texts that somebody listens to before it becomes
// a clip, in memory. Safe for concurrent use.
type previews struct {
	mu   sync.Mutex
	kept map[string]preview
}

type preview struct {
	wav []byte
	at  time.Time
}

// Bounds of previews: the oldest go first. A minute of espeak-ng is 2.6 MB.
const (
	previewsKept  = 20
	previewsBytes = 60 << 20
	previewsFor   = 30 * time.Minute
)

func newPreviews() *previews { return &previews{kept: map[string]preview{}} }

func (p *previews) get(id string, now time.Time) ([]byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k, ok := p.kept[id]
	return k.wav, ok && now.Sub(k.at) < previewsFor
}

func (p *previews) put(id string, wav []byte, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept[id] = preview{wav, now}
	for {
		bytes, oldest := 0, id
		for k, v := range p.kept {
			bytes += len(v.wav)
			if v.at.Before(p.kept[oldest].at) {
				oldest = k
			}
		}
		if oldest == id || len(p.kept) <= previewsKept && bytes <= previewsBytes {
			return
		}
		delete(p.kept, oldest)
	}
}
