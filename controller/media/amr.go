package media

import (
	"bytes"
	"fmt"

	"gatecast/audio/decode"
)

// Bytes of an AMR frame behind its first one, by frame type (RFC 4867 §5.3);
// -1 where there is no such type. The types behind speech are comfort noise, and
// 14 and 15 stand for a frame that was lost or not sent.
var (
	amrNarrow = [16]int{12, 13, 15, 17, 19, 20, 26, 31, 5, -1, -1, -1, -1, -1, -1, 0}
	amrWide   = [16]int{17, 23, 32, 36, 40, 46, 50, 58, 60, 5, -1, -1, -1, -1, 0, 0}
)

// checkAMR walks the frames of a file of one channel. ffmpeg skips what it does
// not understand, and it does not understand the pauses that phones leave out
// (DTX), so whether such a file is whole has to be known before.
func checkAMR(data []byte) error {
	sizes := amrNarrow
	rest, ok := bytes.CutPrefix(data, []byte("#!AMR\n"))
	if !ok {
		if rest, ok = bytes.CutPrefix(data, []byte("#!AMR-WB\n")); !ok {
			return &Error{Code: Unsupported, Kind: decode.KindAMR, Err: fmt.Errorf("checking amr: head %q", data[:min(len(data), 12)])}
		}
		sizes = amrWide
	}
	for at := 0; at < len(rest); {
		n := sizes[rest[at]>>3&15]
		if n < 0 || rest[at]&0x83 != 0 { // the other bits are padding
			return &Error{Code: Corrupt, Kind: decode.KindAMR, Err: fmt.Errorf("checking amr: byte %d is no head of a frame", at)}
		}
		if at+1+n > len(rest) {
			return &Error{Code: Truncated, Kind: decode.KindAMR}
		}
		at += 1 + n
	}
	return nil
}
