package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed static
var staticFiles embed.FS

// assets are the static files under names that contain their hash, so that a
// browser may keep them for ever and a new version is a new name. Immutable.
type assets struct {
	urls  map[string]string // "ui.css" → "/static/ui.1a2b3c4d5e6f.css"
	files map[string]asset  // by the last element of the URL
}

type asset struct {
	mediaType string
	data, gz  []byte
}

func loadAssets() (*assets, error) {
	a := &assets{urls: map[string]string{}, files: map[string]asset{}}
	entries, err := fs.ReadDir(staticFiles, "static")
	if err != nil {
		return nil, fmt.Errorf("listing static files: %w", err)
	}
	for _, e := range entries {
		data, err := staticFiles.ReadFile("static/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("reading static file: %w", err)
		}
		sum := sha256.Sum256(data)
		ext := path.Ext(e.Name())
		hashed := strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		var gz bytes.Buffer
		w, _ := gzip.NewWriterLevel(&gz, gzip.BestCompression) // the level is valid
		_, _ = w.Write(data)                                   // a bytes.Buffer never fails
		_ = w.Close()
		mediaType := mime.TypeByExtension(ext)
		if ext == ".js" { // some machines' tables say text/plain, which nosniff refuses
			mediaType = "text/javascript; charset=utf-8"
		}
		a.urls[e.Name()] = "/static/" + hashed
		a.files[hashed] = asset{mediaType: mediaType, data: data, gz: gz.Bytes()}
	}
	return a, nil
}

// url returns the path of a static file; an unknown name yields a path that
// answers 404, which the page tests notice.
func (a *assets) url(name string) string {
	if u, ok := a.urls[name]; ok {
		return u
	}
	return "/static/unknown/" + name
}

func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[r.PathValue("file")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.mediaType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := f.data
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.gz
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
