package library

import (
	"context"
	"fmt"
	"time"

	"gatecast/audio"
	"gatecast/audio/decode"
	"gatecast/internal/wire"
)

// maxLength bounds the sound of one clip held in memory.
const maxLength = 15 * time.Minute

// Load returns the sound of a clip, decoded whole: its bytes matched their
// hash a moment ago, it is FLAC, mono, and has exactly the rate and the frames
// that c says. Otherwise the error is ErrMissing, ErrHash or ErrContent. The
// result is the caller's.
func (l *Library) Load(sha string, c wire.ManifestClip) (*audio.PCM, error) {
	data, err := l.read(sha)
	if err != nil {
		return nil, err
	}
	if kind := decode.Sniff(data); kind != decode.KindFLAC {
		return nil, fmt.Errorf("clip %s: %w: %s, not flac", sha, ErrContent, kind)
	}
	limits := decode.Limits{Bytes: maxClipBytes, Duration: maxLength, Samples: c.Frames + 1, Channels: 1}
	pcm, _, err := decode.Decode(context.Background(), data, limits)
	if err != nil {
		return nil, fmt.Errorf("clip %s: %w: %w", sha, ErrContent, err)
	}
	if pcm.Rate != c.Rate || int64(pcm.Frames()) != c.Frames {
		return nil, fmt.Errorf("clip %s: %w: %d frames at %d Hz, want %d at %d", sha, ErrContent, pcm.Frames(), pcm.Rate, c.Frames, c.Rate)
	}
	return pcm, nil
}
