package depot

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// clip sends a clip, whole or in ranges, to any active device: what it may
// sound, its signed plan and the manifest say.
func (p *port) clip(w http.ResponseWriter, r *http.Request) {
	d, sha, done := p.transfer(w, r, mayFetchClips)
	if done == nil {
		return
	}
	defer done()
	f, err := p.o.Clips.Open(sha)
	switch {
	case fleet.CodeOf(err) == fleet.NotFound:
		http.NotFound(w, r)
		return
	case err != nil:
		p.logger.Error("opening clip", "clip", sha, "device", d.ID, "err", err)
		busy(w)
		return
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		p.logger.Error("opening clip", "clip", sha, "device", d.ID, "err", err)
		busy(w)
		return
	}
	p.send(w, r, sha, "audio/flac", f, fi.Size())
}

// doc sends a sealed document: a manifest, or a plan to the device it is for.
func (p *port) doc(w http.ResponseWriter, r *http.Request) {
	d, sha, done := p.transfer(w, r, mayFetchDocs)
	if done == nil {
		return
	}
	defer done()
	doc, err := p.o.Store.Doc(r.Context(), sha)
	switch {
	case fleet.CodeOf(err) == fleet.NotFound:
		http.NotFound(w, r)
		return
	case err != nil:
		p.logger.Error("reading document", "doc", sha, "device", d.ID, "err", err)
		busy(w)
		return
	}
	// A document of another device is as good as absent: nobody learns by
	// asking what exists.
	if h, err := seal.Peek[wire.Header](doc); err != nil || !mayRead(h, d.ID) {
		p.o.OnRefused(fleet.Incident{Kind: fleet.IncidentOtherDoc, Device: d.ID, From: address(r), Detail: string(h.Type) + " of " + string(h.Device)})
		http.NotFound(w, r)
		return
	}
	p.send(w, r, sha, "application/json", bytes.NewReader(doc), int64(len(doc)))
}

func mayRead(h wire.Header, d wire.DeviceID) bool {
	switch h.Type {
	case wire.DocManifest:
		return h.Device == "" || h.Device == d
	case wire.DocPlan:
		return h.Device == d
	}
	return false
}

// transfer admits a request for something named by hash. done is nil when it
// has been answered already, and otherwise to be called at the end.
func (p *port) transfer(w http.ResponseWriter, r *http.Request, states []fleet.DeviceState) (d fleet.Device, sha string, done func()) {
	d, ok := p.known(w, r, states, false)
	if !ok {
		return d, "", nil
	}
	if sha = r.PathValue("sha256"); !isHash(sha) {
		http.NotFound(w, r)
		return d, "", nil
	}
	if !p.transfers.enter(d.ID) {
		// Spread those who come back, or they meet again.
		later(w, 5*time.Second+rand.N(10*time.Second), unavailable)
		return d, "", nil
	}
	return d, sha, func() { p.transfers.leave(d.ID) }
}

func (p *port) send(w http.ResponseWriter, r *http.Request, sha, kind string, content io.ReadSeeker, size int64) {
	limit := answerTime + time.Duration(size/slowest)*time.Second
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit)) // else the server's own holds
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("ETag", `"`+sha+`"`)
	h.Set("Cache-Control", "private, immutable, max-age=31536000")
	http.ServeContent(w, r, "", time.Time{}, content)
}

// isHash reports whether s is a SHA-256 in lower-case hex.
func isHash(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
