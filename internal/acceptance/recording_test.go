package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatecast/audio/clips"
	"gatecast/internal/needtool"
)

// piece sends one request of an upload by pieces and returns the answer.
func (o *office) piece(method, path string, offset int, kind string, body []byte) (status int, reply struct {
	ID, Batch, Text string
	Have            int64
	OK              bool
}) {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), method, o.web+path, bytes.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Upload-Offset", strconv.Itoa(offset))
	res, err := o.clerk.Do(req)
	if err != nil {
		o.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(data, &reply)
	}
	if err != nil {
		o.t.Fatalf("%s %s: %s: %v\n%s", method, path, res.Status, err, text(string(data)))
	}
	return res.StatusCode, reply
}

// lecture is an m4a of a voice that goes on for so long, made by copying packets.
func lecture(t *testing.T, length string) []byte {
	t.Helper()
	dir := t.TempDir()
	voice, _ := clips.ByName("kefu")
	writeFile(t, filepath.Join(dir, "voice.mp3"), string(voice.Data()))
	run := func(args ...string) {
		if said, err := exec.CommandContext(t.Context(), "ffmpeg", append([]string{"-v", "error", "-nostdin"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("ffmpeg %q: %v\n%s", args, err, said)
		}
	}
	run("-i", filepath.Join(dir, "voice.mp3"), "-ac", "1", "-ar", "16000", "-c:a", "aac", "-b:a", "16k", filepath.Join(dir, "short.m4a"))
	run("-stream_loop", "-1", "-i", filepath.Join(dir, "short.m4a"), "-c", "copy", "-t", length, filepath.Join(dir, "long.m4a"))
	data, err := os.ReadFile(filepath.Join(dir, "long.m4a"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestFortyMinuteRecordingAndWeChatVoice is what a clerk meets who uploads what
// others sent: a lecture of 40 minutes over a line that breaks, in the middle of
// which the office restarts; a WeChat voice message; a recording of a telephone;
// one under a wrong name; and two hours.
func TestFortyMinuteRecordingAndWeChatVoice(t *testing.T) {
	t.Parallel()
	needtool.Need(t, "ffmpeg")
	o := newOffice(t)
	o.addClip("ding", wavOf(testClip(5*time.Second)))
	// A slot of half an hour, this evening or earlier, as the preset has it.
	o.activate(fmt.Sprintf(`
id: daily
name: 日常
zone: %s
targets: {kinds: [gate]}
slots:
  - {key: evening, name: 晚, start: "18:00", until: "18:30", every: 5m, playlist: [ding]}
`, o.zone))
	data := lecture(t, "40:12")
	form := "application/x-www-form-urlencoded"
	announce := []byte(url.Values{"file": {"反诈讲座录音.m4a"}, "size": {strconv.Itoa(len(data))}, "mark": {"1"}}.Encode())
	_, begun := o.piece("POST", "/uploads", 0, form, announce)
	half := len(data) / 2
	if status, got := o.piece("PATCH", "/uploads/"+begun.ID, 0, "application/offset+octet-stream", data[:half]); status != 200 || got.Have != int64(half) {
		t.Fatalf("first half: %d %+v", status, got)
	}
	o.process.stop(t, 10*time.Second)
	o.start()
	_, again := o.piece("POST", "/uploads", 0, form, announce)
	if again.ID != begun.ID || again.Have != int64(half) {
		t.Fatalf("choosing the file again: %+v, want to go on at %d", again, half)
	}
	if status, got := o.piece("PATCH", "/uploads/"+begun.ID, half, "application/offset+octet-stream", data[half:]); status != 200 {
		t.Fatalf("second half: %d %+v", status, got)
	}
	_, done := o.piece("POST", "/uploads/"+begun.ID+"/finish", 0, form, nil)
	page := o.get("/clips?upload=" + done.Batch)
	if said := text(page); done.OK || !strings.Contains(said, "时长40分12秒，超过180秒上限；按18:00–18:30时段无法播完一遍") {
		t.Fatalf("the answer to 40 minutes is %+v\n%s", done, said)
	}
	reel := regexp.MustCompile(`href="(/reels/\d+)#cut"`).FindStringSubmatch(page)
	for _, way := range []string{"剪取片段", "拆分", "申请长音频"} {
		if reel == nil || !strings.Contains(page, way) {
			t.Fatalf("no way on called %s\n%s", way, text(page))
		}
	}
	if said := text(o.get(reel[1])); !strings.Contains(said, "原文件保留到") {
		t.Errorf("the recording's page does not say how long it is kept\n%s", said)
	}
	if res, err := o.clerk.Get(o.web + reel[1] + "/audio?from=12:40&to=13:35"); err != nil || res.Header.Get("Content-Type") != "audio/flac" {
		t.Errorf("listening to a part: %v, %v", res, err)
	} else {
		res.Body.Close()
	}
	if said := text(o.post(reel[1]+"/cut", url.Values{"from": {"12:40"}, "to": {"13:35"}, "title": {"讲座片段"}})); !strings.Contains(said, "存为草稿") {
		t.Errorf("cutting 55 seconds: %s", said)
	}
	phone, err := os.ReadFile("../../controller/media/testdata/phone.amr")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file, says string
		data       []byte
	}{
		{"微信语音 1123.amr", "这是微信语音文件。请用手机录音机重录，或以文件形式发送。", []byte("\x02#!SILK_V3\x10\x00abc")},
		{"电话录音.amr", "“电话录音.amr” 已收下", phone},
		{"改过名的录音.mp3", "内容其实是 amr", phone},
		{"两小时.m4a", "时长超过 1 小时", lecture(t, "2:00:00")},
	} {
		if _, page := o.upload("/clips?keep=draft", tt.file, tt.data, nil); !strings.Contains(text(page), tt.says) {
			t.Errorf("%s is answered with, want %q\n%s", tt.file, tt.says, text(page))
		}
	}
	if said := text(o.get("/clips/voice")); !strings.Contains(said, "三步") {
		t.Errorf("the guide: %s", said)
	}

	books := o.books()
	if _, err := books.ClipByName(t.Context(), "反诈讲座录音"); err == nil {
		t.Error("40 minutes became a clip")
	}
	cut, err := books.ClipByName(t.Context(), "讲座片段")
	if err != nil || cut.Duration() < 53*time.Second || cut.Duration() > 56*time.Second || math.Abs(cut.LUFS+cut.GainDB+18) > 1 {
		t.Errorf("cut %+v, %v", cut, err)
	}
	amr, err := books.ClipByName(t.Context(), "电话录音")
	if err != nil || math.Abs(amr.LUFS+amr.GainDB+18) > 1 {
		t.Errorf("the telephone's recording sounds at %.1f LUFS, want −18 ± 1; %v", amr.LUFS+amr.GainDB, err)
	}
}
