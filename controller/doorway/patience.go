package doorway

import (
	"io"
	"net/http"
	"time"
)

// Patience lets the body of a request take read to arrive and its answer take
// write to leave, so that nobody holds a connection by being slow. A handler
// that needs longer sets deadlines of its own with http.ResponseController. The
// deadline for reading goes with the end of the body; a handler may then think
// for as long as it needs.
func Patience(read, write time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.SetWriteDeadline(time.Now().Add(write)) // not every writer has deadlines
		if r.Body != nil && r.Body != http.NoBody {
			_ = rc.SetReadDeadline(time.Now().Add(read))
			r.Body = &timedBody{ReadCloser: r.Body, rc: rc}
		}
		next.ServeHTTP(w, r)
	})
}

type timedBody struct {
	io.ReadCloser
	rc *http.ResponseController
}

// Read implements io.Reader.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF { // a server would otherwise take the deadline for a reader who left
		_ = b.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}
