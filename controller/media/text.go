package media

import (
	"fmt"
	"math"
	"strings"
	"time"

	"gatecast/audio/decode"
)

// Lang is a language of the texts.
type Lang int

// The languages.
const (
	ZH Lang = iota
	EN
)

// Text is what the user reads: what is the matter, and the way out.
type Text struct {
	Reason string // a clause: 这是微信语音文件
	Advice string // whole sentences: 请用手机录音机重录…
}

// String returns both as sentences.
func (t Text) String() string {
	end := ". "
	if strings.HasSuffix(t.Advice, "。") {
		end = "。"
	}
	return t.Reason + end + t.Advice
}

// both is a text in both languages, with {placeholders}.
type both struct {
	zh, en Text
}

func (b both) in(l Lang) Text {
	if l == EN {
		return b.en
	}
	return b.zh
}

// Say returns the reason and the way out in the language l.
func (e *Error) Say(l Lang) Text {
	b, ok := texts[e.Code]
	if e.Code == Unsupported {
		if b, ok = kinds[e.Kind]; !ok {
			b = texts[Unsupported]
		}
		ok = true
	}
	if !ok {
		b = texts[Corrupt]
	}
	return fill(b.in(l), map[string]string{
		"duration": sayDuration(e.Duration, l),
		"max":      sayDuration(e.Max, l),
		"maxmb":    fmt.Sprint(int(math.Round(float64(e.MaxBytes) / 1e6))),
		"from":     fmt.Sprint(e.From),
		"to":       fmt.Sprint(e.To),
		"share":    fmt.Sprint(int(math.Round(e.Share * 100))),
		"kind":     string(e.Kind),
		"most":     sayDuration(HardStop, l),
	})
}

// Say returns the warning in the language l.
func (w Warning) Say(l Lang) string {
	t := fill(warnings[w.Code].in(l), map[string]string{
		"duration": sayDuration(w.Duration, l),
		"max":      sayDuration(w.Max, l),
		"seconds":  fmt.Sprintf("%.1f", w.Duration.Seconds()),
		"lufs":     sayLUFS(w.LUFS),
		"target":   sayLUFS(w.Target),
		"named":    w.Named,
		"kind":     string(w.Kind),
	})
	return t.String()
}

func fill(t Text, args map[string]string) Text {
	var pairs []string
	for k, v := range args {
		pairs = append(pairs, "{"+k+"}", v)
	}
	r := strings.NewReplacer(pairs...)
	return Text{r.Replace(t.Reason), r.Replace(t.Advice)}
}

// sayLUFS writes a level with the true minus sign.
func sayLUFS(v float64) string {
	return strings.Replace(fmt.Sprintf("%.1f", v), "-", "−", 1)
}

// sayDuration writes d as people say it: 40分12秒, 0.3秒.
func sayDuration(d time.Duration, l Lang) string {
	if d < time.Second {
		s := fmt.Sprintf("%.1f", math.Floor(d.Seconds()*10)/10)
		if l == EN {
			return s + " s"
		}
		return s + "秒"
	}
	whole := int(d.Round(time.Second) / time.Second)
	m, s := whole/60, whole%60
	if whole <= 180 { // limits are given in seconds
		m, s = 0, whole
	}
	switch {
	case l == EN && m > 0:
		return fmt.Sprintf("%d min %d s", m, s)
	case l == EN:
		return fmt.Sprintf("%d s", s)
	case m > 0:
		return fmt.Sprintf("%d分%d秒", m, s)
	}
	return fmt.Sprintf("%d秒", s)
}

// again is the way out of everything that went wrong on the way here.
const (
	againZH = "请在原来的手机或电脑上确认能完整播放，再重新上传。"
	againEN = "Check that it plays to the end where it comes from, then upload it again."
	saveZH  = "请用录音软件或格式转换工具另存为 mp3 或 wav 再上传。"
	toolZH  = "请管理员在服务器上安装 ffmpeg；或用录音软件另存为 mp3 或 wav 再上传。"
	toolEN  = "Ask the administrator to install ffmpeg on the server, or save it as mp3 or wav and upload that."
	saveEN  = "Save it as mp3 or wav with a recorder or converter, then upload it."
)

var texts = map[Code]both{
	Empty: {
		Text{"文件是空的，里面没有声音", againZH},
		Text{"The file is empty: there is no sound in it", againEN}},
	Truncated: {
		Text{"文件不完整，后半段缺失", "多半是没传完或没拷完。" + againZH},
		Text{"The file is incomplete: its end is missing", "It was probably cut while being copied. " + againEN}},
	Corrupt: {
		Text{"文件已损坏，放不出来", againZH},
		Text{"The file is damaged and cannot be played", againEN}},
	RateChange: {
		Text{"文件由不同采样率的几段拼成（先 {from} Hz，后 {to} Hz），放出来会变调", "请分段上传，或用剪辑软件合并后另存为一个文件再上传。"},
		Text{"The file is joined from pieces of different sample rates ({from} Hz, then {to} Hz) and would play at the wrong speed", "Upload the pieces one by one, or join them in an editor and save one file."}},
	TooLong: {
		Text{"时长{duration}，超过{max}上限", "请剪短，或拆成几条再上传。"},
		Text{"It lasts {duration}, over the limit of {max}", "Shorten it or split it into several clips."}},
	TooBig: {
		Text{"文件超过 {maxmb} MB 上限", "请剪短，或另存为 mp3 再上传。"},
		Text{"The file is over the limit of {maxmb} MB", "Shorten it, or save it as mp3."}},
	NotAudio: {
		Text{"这不是音频文件，只是名字像", "请选手机录音机或录音软件存下的文件，如 mp3 或 wav。"},
		Text{"This is not a sound file, whatever its name says", "Choose a file saved by a recorder, such as mp3 or wav."}},
	Unsupported: {
		Text{"这种音频格式设备放不了", saveZH},
		Text{"Devices cannot play this kind of sound file", saveEN}},
	NoSound: {
		Text{"这个 {kind} 文件里没有声音", "请选录音文件；若是视频，请确认拍摄时开着麦克风。"},
		Text{"There is no sound in this {kind} file", "Choose a recording; if it is a video, check that it was taken with the microphone on."}},
	OverReel: {
		Text{"时长超过 1 小时，收不下", "请先在手机或电脑上剪出要用的部分，再上传。"},
		Text{"It lasts over an hour, which is too long", "Cut out what you need on the phone or computer, then upload that."}},
	NoOriginal: {
		Text{"原文件已过保留期，不在了", "请重新上传录音。"},
		Text{"The original is no longer kept", "Upload the recording again."}},
	BadStretch: {
		Text{"起止时间不对", "结束要晚于开始，都在录音之内，一段最短 1 秒、最长{most}。"},
		Text{"The times do not fit", "The end has to be after the start, both within the recording, with 1 s to {most} between them."}},
	TooShort: {
		Text{"只有{duration}，太短了", "一条素材至少{max}，请重录完整的一句话。"},
		Text{"It lasts only {duration}", "A clip needs at least {max}: record a whole sentence."}},
	Silent: {
		Text{"几乎没有声音", "请检查麦克风是否打开、是否离得太远，靠近些重录。"},
		Text{"There is hardly any sound in it", "Check that the microphone is on and near, and record again."}},
	MostlySilent: {
		Text{"有 {share}% 的时间没有声音", "请剪掉空白，或靠近麦克风重录。"},
		Text{"It is silent for {share}% of the time", "Cut out the gaps, or record again closer to the microphone."}},
	UploadCut: {
		Text{"没有传完，连接断了", "请检查网络，再传一次。"},
		Text{"The upload broke off", "Check the network and upload it again."}},
	DiskFull: {
		Text{"服务器磁盘满了，存不下", "素材没有保存，原有素材不受影响。请管理员清理磁盘或换大盘后再传。"},
		Text{"The server's disk is full", "Nothing was saved and nothing was lost. Ask the administrator to free space, then upload it again."}},
}

// kinds are the texts of code Unsupported, by what the file is.
var kinds = map[decode.Kind]both{
	decode.KindSILK: {
		Text{"这是微信语音文件", "请用手机录音机重录，或以文件形式发送。"},
		Text{"This is a WeChat voice message", "Record it again with the phone's recorder, or have it sent as a file."}},
	decode.KindM4A: {
		Text{"这是 m4a 或视频文件，服务器没有装转换工具 ffmpeg，暂时收不了", toolZH},
		Text{"This is an m4a or video file, and the server lacks the converter ffmpeg", toolEN}},
	decode.KindAAC: {
		Text{"这是 aac 文件，服务器没有装转换工具 ffmpeg，暂时收不了", toolZH},
		Text{"This is an aac file, and the server lacks the converter ffmpeg", toolEN}},
	decode.KindAMR: {
		Text{"这是 amr 录音文件，服务器没有装转换工具 ffmpeg，暂时收不了", toolZH},
		Text{"This is an amr recording, and the server lacks the converter ffmpeg", toolEN}},
	decode.KindOpus: {
		Text{"这是 opus 文件，服务器没有装转换工具 ffmpeg，暂时收不了", toolZH},
		Text{"This is an opus file, and the server lacks the converter ffmpeg", toolEN}},
	decode.KindOgg: {
		Text{"这个 ogg 文件里不是 Vorbis 音频", saveZH},
		Text{"This ogg file holds something other than Vorbis", saveEN}},
	decode.KindVorbis: {
		Text{"这个 ogg 文件的编排设备放不了", saveZH},
		Text{"This ogg file is laid out in a way that is not taken", saveEN}},
	decode.KindWMA: {
		Text{"这是 wma 文件，服务器没有装转换工具 ffmpeg，暂时收不了", toolZH},
		Text{"This is a wma file, and the server lacks the converter ffmpeg", toolEN}},
	decode.KindAIFF: {
		Text{"这是 aiff 文件，服务器没有装转换工具 ffmpeg，暂时收不了", toolZH},
		Text{"This is an aiff file, and the server lacks the converter ffmpeg", toolEN}},
	decode.KindCAF: {
		Text{"这是 苹果 caf 文件，服务器没有装转换工具 ffmpeg，暂时收不了", toolZH},
		Text{"This is an Apple caf file, and the server lacks the converter ffmpeg", toolEN}},
	decode.KindMatroska: {
		Text{"这是 mkv 或 webm 视频文件，服务器没有装转换工具 ffmpeg，暂时收不了", toolZH},
		Text{"This is an mkv or webm video, and the server lacks the converter ffmpeg", toolEN}},
	decode.KindMPEG: {
		Text{"这是 老式 mp1/mp2 文件，服务器没有装转换工具 ffmpeg，暂时收不了", toolZH},
		Text{"This is an old mp1 or mp2 file, and the server lacks the converter ffmpeg", toolEN}},
	decode.KindMP3: {
		Text{"这个 mp3 的编码方式太少见，设备放不了", saveZH},
		Text{"This mp3 is coded in a rare way that devices cannot play", saveEN}},
	decode.KindWAV: {
		Text{"这个 wav 的编码方式太少见，设备放不了", saveZH},
		Text{"This wav is coded in a rare way that devices cannot play", saveEN}},
	decode.KindFLAC: {
		Text{"这个 flac 的采样率或声道数设备放不了", saveZH},
		Text{"This flac has a sample rate or channel count that devices cannot play", saveEN}},
}

var warnings = map[WarningCode]both{
	WarnLong: {
		Text{"时长{duration}，超过{max}", "路过的人听不完，建议剪到一分钟以内。"},
		Text{"It lasts {duration}, over {max}", "Passers-by will not hear it to the end: a minute or less is better."}},
	WarnTrimmed: {
		Text{"首尾静音已裁 {seconds} 秒", "原文件保留。"},
		Text{"{seconds} s of silence at the ends were cut", "The original is kept."}},
	WarnQuiet: {
		Text{"录得偏轻，播放时约 {lufs} LUFS，达不到 {target} LUFS", "听着会比别的素材轻，建议靠近麦克风重录。"},
		Text{"It is recorded too softly: it will play at about {lufs} LUFS instead of {target} LUFS", "It will sound softer than other clips: better record it again closer to the microphone."}},
	WarnClipped: {
		Text{"录得太响，有破音", "建议离麦克风远一点重录。"},
		Text{"It is recorded too loud and crackles", "Better record it again further from the microphone."}},
	WarnNamed: {
		Text{"名字写的是 {named}，内容其实是 {kind}", "已按 {kind} 收下，不用改名重传。"},
		Text{"It is called {named} but is really {kind}", "It was taken as {kind}; there is no need to rename it."}},
	WarnPhase: {
		Text{"左右声道互相抵消，已只取一个声道", "请试听，确认声音正常。"},
		Text{"Its two channels cancel each other, so only one was used", "Listen to it to be sure that it sounds right."}},
}
