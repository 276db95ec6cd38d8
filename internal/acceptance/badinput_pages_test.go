package acceptance

import (
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/audio"
)

// library returns what the office keeps of clips: the entries on the page and
// the files on the disk.
func (o *office) library() []string {
	o.t.Helper()
	all := regexp.MustCompile(`href="/clips/\d+"`).FindAllString(o.get("/clips"), -1)
	err := filepath.WalkDir(filepath.Join(o.dir, "data", "media"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return all
}

func badClips(t *testing.T, o *office, _ func()) {
	sample := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("..", "..", "audio", "decode", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	ding := wavOf(testClip(8 * time.Second))
	silence := wavOf(&audio.PCM{Format: audio.Format{Rate: 24000, Channels: 1}, Samples: make([]float32, 8*24000)})
	mp3 := sample("mono-22k-vbr.mp3")
	corrupt := slices.Clone(mp3)
	clear(corrupt[len(corrupt)/2 : len(corrupt)/2+4000])
	tests := []struct {
		name, file string
		data       []byte
		zh, en     string
	}{
		{"cut_off_mp3", "防骗.mp3", mp3[:len(mp3)*2/3], "文件不完整，后半段缺失。多半是没传完或没拷完。请在原来的手机或电脑上确认能完整播放，再重新上传。",
			"The file is incomplete: its end is missing. It was probably cut while being copied. Check that it plays to the end where it comes from, then upload it again."},
		{"cut_off_wav", "防骗.wav", ding[:len(ding)/2], "文件不完整，后半段缺失。", "The file is incomplete: its end is missing. "},
		{"corrupt", "防骗.mp3", corrupt, "文件已损坏，放不出来。请在原来的手机或电脑上确认能完整播放，再重新上传。", "The file is damaged and cannot be played. Check that it plays"},
		{"empty", "防骗.mp3", nil, "文件是空的，里面没有声音。请在", "The file is empty: there is no sound in it. Check that it plays"},
		{"silent", "防骗.wav", silence, "几乎没有声音。请检查麦克风是否打开、是否离得太远，靠近些重录。", "There is hardly any sound in it. Check that the microphone is on and near"},
		{"text_named_mp3", "通知.mp3", []byte("各位居民请注意，凡是要求转账的都是诈骗。\n"), "这不是音频文件，只是名字像。请选手机录音机或录音软件存下的文件，如 mp3 或 wav。",
			"This is not a sound file, whatever its name says. Choose a file saved by a recorder"},
		{"rate_changes", "合并.mp3", slices.Concat(sample("mono-22k-32.mp3"), sample("mono-24k.mp3")), "文件由不同采样率的几段拼成（先 22050 Hz，后 24000 Hz），放出来会变调。请分段上传",
			"joined from pieces of different sample rates (22050 Hz, then 24000 Hz) and would play at the wrong speed. Upload the pieces one by one"},
		{"too_long", "讲座.wav", wavOf(testClip(185 * time.Second)), "时长3分5秒，超过180秒上限", "It lasts 3 min 5 s, over the limit of 180 s"},
		{"wechat_voice", "微信语音.amr", []byte("\x02#!SILK_V3\x10\x00abc"), "这是微信语音文件。请用手机录音机重录，或以文件形式发送。", "This is a WeChat voice message. Record it again with the phone's recorder"},
	}
	o.addClip("before", ding)
	before := o.library()
	for _, tt := range tests {
		for lang, sentence := range map[string]string{"en": tt.en, "zh": tt.zh} {
			status, page := o.upload("/clips?lang="+lang, tt.file, tt.data, map[string]string{"title": "坏的"})
			if status != http.StatusOK {
				t.Errorf("%s: status %d", tt.name, status)
			}
			says(t, html.UnescapeString(text(page)), tt.file, sentence)
		}
		after := o.library()
		all := after
		if tt.name == "too_long" { // kept to be cut, and no clip
			after = slices.DeleteFunc(slices.Clone(all), func(entry string) bool {
				return strings.Contains(entry, "/originals/") && !slices.Contains(before, entry)
			})
		}
		if !slices.Equal(after, before) {
			t.Fatalf("%s: the library was %q and is %q", tt.name, before, after)
		}
		before = all
	}
	o.get("/clips?lang=zh")
	o.addClip("ding", wavOf(testClip(5*time.Second)))
	if after := o.library(); len(after) <= len(before) {
		t.Errorf("the good clip is missing: %q", after)
	}
}

func badProgrammes(t *testing.T, o *office, _ func()) {
	active := slotsFrom(o, time.Now().Add(24*time.Hour), time.Minute, 1)
	o.activate(active)
	rows := func() []string {
		return regexp.MustCompile(`<a href="/programmes/\d+">`).FindAllString(o.get("/programmes"), -1)
	}
	inForce := func() string {
		page := o.get("/programmes?lang=zh")
		i := strings.Index(page, "现行")
		m := regexp.MustCompile(`<a href="(/programmes/\d+)">`).FindAllStringSubmatch(page[:max(i, 0)], -1)
		if len(m) == 0 {
			t.Fatalf("no programme is active:\n%s", text(page))
		}
		return o.get(m[len(m)-1][1] + "/yaml")
	}
	const form = `id: gates
name: 小区日常
zone: %s
targets: {%s}
%s
slots:
  - key: ten
    name: 上午
    start: "%s"
    duration: 30m
    max_plays: 1
    playlist: [ding]
`
	write := func(targets, extra, start string) string { return fmt.Sprintf(form, o.zone, targets, extra, start) }
	tests := []struct {
		name, yaml string
		line       int
		key        string
		zh, en     []string
	}{
		{"unknown_key", write("kinds: [gate]", "volumme: 5", "0 10 * * *"), 5, "volumme", []string{"没有 “volumme” 这一项；这里可以写：", "targets"}, []string{"volumme", "targets"}},
		{"impossible_time", write("kinds: [gate]", "", "0 25 * * *"), 9, "slots[ten].start", []string{"25", "0–23"}, []string{"25", "0–23"}},
		{"quiet_hours", write("kinds: [gate]", "", "30 22 * * *"), 9, "slots[ten].start", []string{"22:30", "请改时间"}, []string{"22:30", "move it"}},
		{"dead_target", write("points: [SL-09-99]", "", "0 10 * * *"), 4, "targets.points", []string{"SL-09-99", "选不到任何广播点；请核对代码"}, []string{"SL-09-99", "selects no point; check the code"}},
	}
	before := rows()
	for _, tt := range tests {
		for lang, parts := range map[string][]string{"en": tt.en, "zh": tt.zh} {
			status, page := o.upload("/programmes?lang="+lang, "", nil, map[string]string{"yaml": tt.yaml})
			if status != http.StatusUnprocessableEntity {
				t.Errorf("%s: status %d, want 422", tt.name, status)
			}
			row := regexp.MustCompile(fmt.Sprintf(`(?s)<tr><td class="num mono">%d</td><td class="mono">([^<]*)</td>.*?</tr>`, tt.line)).FindString(page)
			says(t, html.UnescapeString(text(row)), append([]string{tt.key}, parts...)...)
			if row == "" {
				t.Errorf("%s: no problem in line %d:\n%s", tt.name, tt.line, text(page))
			}
			kept := regexp.MustCompile(`(?s)<textarea[^>]*>(.*?)</textarea>`).FindStringSubmatch(page)
			if kept == nil || html.UnescapeString(kept[1]) != tt.yaml {
				t.Errorf("%s: the form keeps %q, want %q", tt.name, kept, tt.yaml)
			}
		}
		if after := rows(); !slices.Equal(after, before) {
			t.Errorf("%s: programmes were %q and are %q", tt.name, before, after)
		}
		if got := inForce(); got != active {
			t.Errorf("%s: in force is %q, want %q", tt.name, got, active)
		}
	}
	o.activate(write("kinds: [gate]", "", "0 10 * * *")) // the same, corrected
}
