package web

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestUploadInPiecesInTheBrowser chooses two files on the page and looks at what
// the page says once both have gone.
func TestUploadInPiecesInTheBrowser(t *testing.T) {
	w := newEmptyWorld(t)
	dir := t.TempDir()
	var files []string
	for name, data := range map[string][]byte{"通知.wav": tone(t, 70, 8000, .3), "讲话.mp3": []byte("这其实是一段文字，不是录音。\n")} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	b := newBrowser(t, w)
	b.login("clerk")
	b.run(chromedp.Navigate(b.url+"/clips"), chromedp.WaitReady(chromedp.CSS("#file")), chromedp.SetUploadFiles(chromedp.CSS("#file"), files))
	ask[bool](b, `(() => { document.querySelector('form[data-upload] [type=submit]').click(); return true })()`)
	b.run(chromedp.WaitVisible(chromedp.CSS(".notice[data-tone=ok]")), chromedp.WaitVisible(chromedp.CSS(".notice[data-tone=bad]")))
	if got := ask[int](b, `document.querySelectorAll('.notice h3').length`); got != 2 {
		t.Errorf("%d files are named, want 2", got)
	}
	b.quiet("upload")
	all, err := w.store.Clips(t.Context())
	if err != nil || len(all) != 1 {
		t.Errorf("%d clips, %v, want 1", len(all), err)
	}
}
