package media

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"gatecast/audio"
	"gatecast/audio/decode"
)

// load decodes part of an upload: by package decode where it reads the kind,
// otherwise by the converter. A recording over o.MaxDuration is an *Error of code
// TooLong; with o.KeepLong it has the Reel.
func (s *Store) load(ctx context.Context, up upload, part stretch, o Options) (*audio.PCM, decode.Kind, error) {
	head, err := headOf(up.path)
	if err != nil {
		return nil, "", err
	}
	kind := decode.Sniff(head)
	if !kind.Decodable() && s.convert.Reads(kind) {
		pcm, err := s.converted(ctx, up, kind, part, o)
		return pcm, kind, err
	}
	limits := decode.Limits{Bytes: o.MaxBytes, Duration: o.MaxDuration, Channels: 2}
	if o.KeepLong || part != (stretch{}) {
		limits.Duration = HardStop
	}
	data, err := os.ReadFile(up.path)
	if err != nil {
		return nil, kind, fmt.Errorf("reading upload back: %w", err)
	}
	pcm, info, err := decode.Decode(ctx, data, limits)
	var refused *decode.Error
	if errors.As(err, &refused) && s.convert.Reads(refused.Kind) {
		long := refused.Code == decode.TooLong && (o.KeepLong || part != (stretch{}))
		if long || refused.Code == decode.Unsupported {
			pcm, err := s.converted(ctx, up, refused.Kind, part, o)
			return pcm, refused.Kind, err
		}
	}
	if err != nil {
		return nil, kind, err
	}
	if part != (stretch{}) {
		pcm, err = slice(pcm, part)
		return pcm, info.Kind, err
	}
	if info.Duration > o.MaxDuration {
		return nil, kind, tooLong(up, info.Kind, info.Duration, audio.Peaks(pcm, 2*peakCount), o)
	}
	return pcm, info.Kind, nil
}

// converted reads part of an upload through the converter.
func (s *Store) converted(ctx context.Context, up upload, kind decode.Kind, part stretch, o Options) (*audio.PCM, error) {
	most := MaxReel + time.Second
	if !o.KeepLong && part == (stretch{}) {
		most = o.MaxDuration + time.Second // enough to know that it is too long
	}
	if kind == decode.KindAMR {
		data, err := os.ReadFile(up.path)
		if err != nil {
			return nil, fmt.Errorf("reading upload back: %w", err)
		}
		if err := checkAMR(data); err != nil {
			return nil, err
		}
	}
	t, err := s.convert.read(ctx, up.path, kind, part, o.Rate, HardStop, most)
	if err != nil {
		return nil, err
	}
	switch {
	case part != (stretch{}) && t.pcm != nil:
		return t.pcm, nil
	case part != (stretch{}):
		return nil, &Error{Code: BadStretch}
	case t.duration() > MaxReel:
		return nil, &Error{Code: OverReel, Kind: kind, Duration: t.duration()}
	case t.duration() > o.MaxDuration:
		return nil, tooLong(up, kind, t.duration(), t.peaks, o)
	}
	return t.pcm, nil
}

// slice returns a part of pcm.
func slice(pcm *audio.PCM, part stretch) (*audio.PCM, error) {
	from, to := int(audio.FramesIn(part.From, pcm.Rate)), int(audio.FramesIn(part.To, pcm.Rate))
	if part.To == 0 || to > int(pcm.Frames()) {
		to = int(pcm.Frames())
	}
	if from >= to {
		return nil, &Error{Code: BadStretch}
	}
	return &audio.PCM{Format: pcm.Format, Samples: pcm.Samples[from*pcm.Channels : to*pcm.Channels]}, nil
}

func headOf(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading upload back: %w", err)
	}
	defer f.Close()
	head := make([]byte, decode.HeadBytes)
	n, err := f.Read(head)
	if n == 0 && err != nil {
		return nil, nil // empty: Sniff has the word for it
	}
	return head[:n], nil
}

// endings are the kinds that a name may mean. A name without one of them says
// nothing.
var endings = map[string][]decode.Kind{
	".mp3": {decode.KindMP3, decode.KindMPEG}, ".wav": {decode.KindWAV}, ".flac": {decode.KindFLAC}, ".amr": {decode.KindAMR, decode.KindM4A},
	".ogg": {decode.KindVorbis, decode.KindOpus, decode.KindOgg}, ".oga": {decode.KindVorbis, decode.KindOpus, decode.KindOgg}, ".opus": {decode.KindOpus},
	".m4a": {decode.KindM4A, decode.KindAAC}, ".mp4": {decode.KindM4A}, ".3gp": {decode.KindM4A, decode.KindAMR}, ".aac": {decode.KindAAC, decode.KindM4A},
	".wma": {decode.KindWMA}, ".aiff": {decode.KindAIFF}, ".aif": {decode.KindAIFF}, ".caf": {decode.KindCAF},
}

// wrongName reports whether name ends as a file of another kind does.
func wrongName(name string, kind decode.Kind) (ending string, wrong bool) {
	ending = strings.ToLower(path.Ext(name))
	kinds, known := endings[ending]
	if !known {
		return "", false
	}
	for _, k := range kinds {
		if k == kind {
			return "", false
		}
	}
	return ending, true
}
