package acceptance

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStrictModeFromUploadToLoudspeaker walks the whole way in strict mode: the
// library key never touches the controller, a clip that was signed off waits
// until gatecast sign has signed it elsewhere, and then a gate plays it. Not even
// a test tone sounds before the first signature: nobody has said within which
// limits.
func TestStrictModeFromUploadToLoudspeaker(t *testing.T) {
	t.Parallel()
	o := layOut(t, t.TempDir(), "")
	away := t.TempDir() // the approver's machine
	key, pass := filepath.Join(away, "library.key"), filepath.Join(away, "pass")
	writeFile(t, pass, "songfeng gate\n")
	run(t, "gatecast-controller", "--config", o.config, "init", "--root-out", filepath.Join(away, "root.key"))
	said := run(t, "gatecast", "sign", "--new-key", key, "--passphrase-file", pass)
	public := strings.TrimSpace(said[strings.LastIndex(said, "--library-public ")+len("--library-public "):])
	run(t, "gatecast-controller", "--config", o.config, "mode", "strict", "--library-public", public, "--root-key", filepath.Join(away, "root.key"))
	file := filepath.Join(o.dir, "registry.yaml")
	writeFile(t, file, registry)
	run(t, "gatecast-controller", "--config", o.config, "registry", "import", file)
	once := o.oncePassword()
	o.start()
	o.logIn(once)
	clip := testClip(3 * time.Second)
	o.addClip("ding", wavOf(clip))
	programme := slotsFrom(o, soon(time.Minute), 15*time.Second, 1)
	if status, page := o.upload("/programmes", "", nil, map[string]string{"yaml": programme}); status != http.StatusOK || !strings.Contains(text(page), "还没有用素材密钥签署") {
		t.Errorf("a programme with a clip that is not signed: %d\n%s", status, text(page))
	}

	res, err := o.signer.PostForm(o.web+"/signing/bundle", url.Values{})
	bundle := filepath.Join(away, "sign.zip")
	writeFile(t, bundle, o.page("POST /signing/bundle", res, err))
	said = run(t, "gatecast", "sign", bundle, "--key", key, "--passphrase-file", pass, "--yes")
	for _, want := range []string{"+ 新 new  ding", "3.0 s", "LUFS", "允许时段 hours"} {
		if !strings.Contains(said, want) {
			t.Errorf("the review does not say %q\n%s", want, said)
		}
	}
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	part, err := m.CreateFormFile("signed", "sign.signed.json")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := os.Open(filepath.Join(away, "sign.signed.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer signed.Close()
	if _, err := io.Copy(part, signed); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	res, err = o.signer.Post(o.web+"/signing", m.FormDataContentType(), &form)
	if page := text(o.page("POST /signing", res, err)); !strings.Contains(page, "没有素材等待签署") {
		t.Errorf("after the import\n%s", page)
	}

	g := newGate(t, o, "SL-01-01")
	o.activate(slotsFrom(o, soon(6*time.Second), 15*time.Second, 1))
	eventually(t, 40*time.Second, func() string {
		if strings.Contains(text(o.get("/")), "已播 1") {
			return ""
		}
		return "the overview does not count the slot as played: " + text(o.get("/"))
	})
	if files := g.recordings(); len(files) != 1 {
		t.Errorf("%d recordings, want 1: %v", len(files), files)
	} else {
		checkRecording(t, clip, files[0])
	}
	if _, err := os.Stat(filepath.Join(o.dir, "data", "trust", "library.key")); err == nil {
		t.Error("the library key is on the controller")
	}
}
