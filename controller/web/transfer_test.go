package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
)

// piece sends one request of an upload by pieces.
func (c *client) piece(method, path, offset string, body []byte) (transferReply, int) {
	c.t.Helper()
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if offset != "" {
		r.Header.Set("Upload-Offset", offset)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := c.do(r)
	var reply transferReply
	if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil {
		c.t.Fatalf("%s %s: %d, %q is no reply: %v", method, path, w.Code, w.Body, err)
	}
	return reply, w.Code
}

func TestUploadInPiecesGoesOnAfterABreak(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "clerk")
	data := tone(t, 3, 16000, .3)
	announce := url.Values{"file": {`C:\录音\通知.wav`}, "size": {strconv.Itoa(len(data))}, "mark": {"1"}}.Encode()
	x, code := c.piece("POST", "/uploads", "", []byte(announce))
	if code != 200 || !x.OK || x.ID == "" || x.Have != 0 {
		t.Fatalf("announcing: %d %+v", code, x)
	}
	at := "/uploads/" + x.ID
	if got, code := c.piece("PATCH", at, "0", data[:40_000]); code != 200 || got.Have != 40_000 {
		t.Fatalf("first piece: %d %+v", code, got)
	}
	if got, code := c.piece("PATCH", at, "10", data[10:]); code != http.StatusConflict || got.Have != 40_000 || got.Text == "" {
		t.Errorf("a piece elsewhere: %d %+v, want a conflict that says 40000", code, got)
	}
	if got, code := c.piece("POST", at+"/finish", "", nil); code != http.StatusUnprocessableEntity || !strings.Contains(got.Text, "没有传完") {
		t.Errorf("finishing half a file: %d %+v", code, got)
	}
	if _, code := w.as(t, "admin").piece("GET", at, "", nil); code != http.StatusNotFound {
		t.Errorf("somebody else's upload: %d", code)
	}
	// The page was left: the same file goes on where it was.
	if got, _ := c.piece("POST", "/uploads", "", []byte(announce)); got.ID != x.ID || got.Have != 40_000 {
		t.Errorf("choosing the file again: %+v", got)
	}
	if got, code := c.piece("GET", at, "", nil); code != 200 || got.Have != 40_000 {
		t.Errorf("asking how far it is: %d %+v", code, got)
	}
	if got, code := c.piece("PATCH", at, "40000", data[40_000:]); code != 200 || got.Have != int64(len(data)) {
		t.Fatalf("second piece: %d %+v", code, got)
	}
	first, code := c.piece("POST", at+"/finish", "", []byte(url.Values{"title": {"通知"}, "audience": {"通用"}}.Encode()))
	if code != 200 || !first.OK || first.Batch == "" {
		t.Fatalf("finishing: %d %+v", code, first)
	}
	// A second file of the batch is no recording; its result stands beside the first.
	text := []byte("这其实是一段文字，不是录音。\n")
	y, _ := c.piece("POST", "/uploads", "", []byte(url.Values{"file": {"讲话.mp3"}, "size": {strconv.Itoa(len(text))}}.Encode()))
	if got, code := c.piece("PATCH", "/uploads/"+y.ID, "0", text); code != 200 {
		t.Fatalf("piece: %d %+v", code, got)
	}
	second, code := c.piece("POST", "/uploads/"+y.ID+"/finish", "", []byte(url.Values{"batch": {first.Batch}}.Encode()))
	if code != 200 || second.OK || second.Batch != first.Batch || !strings.Contains(second.Text, "不是音频") {
		t.Errorf("finishing what is no recording: %d %+v", code, second)
	}
	d := c.page("/clips?upload=" + first.Batch)
	d.has(".notice[data-tone=ok] h3", "“通知.wav” 已收下")
	d.has(".notice[data-tone=bad] h3", "“讲话.mp3” 没有收下")
	all, err := w.store.Clips(t.Context())
	if err != nil || len(all) != 1 || all[0].Title != "通知" || all[0].Audience != "通用" || all[0].By != "clerk" || all[0].State != fleet.ClipSubmitted {
		t.Errorf("clips %+v, %v", all, err)
	}
	for _, gone := range []string{x.ID, y.ID} {
		if _, code := c.piece("GET", "/uploads/"+gone, "", nil); code != http.StatusNotFound {
			t.Errorf("an upload that was taken is still there: %d", code)
		}
	}
}

func TestUploadInPiecesRefuses(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "clerk")
	for name, form := range map[string]url.Values{
		"over the limit": {"file": {"a.wav"}, "size": {"50000001"}}, "empty": {"file": {"a.wav"}, "size": {"0"}}, "no size": {"file": {"a.wav"}},
	} {
		if got, code := c.piece("POST", "/uploads", "", []byte(form.Encode())); code != http.StatusUnprocessableEntity || got.OK || got.Text == "" {
			t.Errorf("%s: %d %+v", name, code, got)
		}
	}
	x, _ := c.piece("POST", "/uploads", "", []byte(url.Values{"file": {"a.wav"}, "size": {"100"}}.Encode()))
	if got, code := c.piece("PATCH", "/uploads/"+x.ID, "0", make([]byte, 101)); code == 200 || got.Have != 0 {
		t.Errorf("more than announced: %d %+v", code, got)
	}
	if got, code := c.piece("PATCH", "/uploads/"+x.ID, "-1", nil); code != http.StatusUnprocessableEntity {
		t.Errorf("a negative offset: %d %+v", code, got)
	}
	if got, code := c.piece("DELETE", "/uploads/"+x.ID, "", nil); code != 200 || !got.OK {
		t.Errorf("cancelling: %d %+v", code, got)
	}
	_, _ = c.piece("POST", "/uploads", "", []byte(url.Values{"file": {"b.wav"}, "size": {"100"}}.Encode()))
	w.setNow(testNow.Add(25 * time.Hour))
	if n := w.parts.Expire(); n != 1 {
		t.Errorf("%d abandoned uploads went, want 1", n)
	}
}
