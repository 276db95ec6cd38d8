package output

import (
	"errors"
	"fmt"
)

// Code names a fault of a device, stable across versions.
type Code string

// The faults.
const (
	Absent      Code = "absent"      // no such device, or it is unplugged
	Busy        Code = "busy"        // another program holds it
	Denied      Code = "denied"      // this user may not open it
	Silenced    Code = "muted"       // its mixer is off or at zero and stays so
	Dummy       Code = "dummy"       // the server has only its stand-in for a missing card
	Moved       Code = "moved"       // the server moved the stream to another sink
	Gone        Code = "gone"        // it went away during the play
	Stalled     Code = "stalled"     // it stopped taking samples
	Unpaced     Code = "unpaced"     // it takes samples faster than they can sound
	Starved     Code = "starved"     // samples did not arrive in time
	Unsupported Code = "unsupported" // it cannot play this shape of sound
	NoServer    Code = "no_server"   // no sound server answers
	NoTool      Code = "no_tool"     // the program that plays is missing
	NoSpace     Code = "no_space"    // the disk is full, or the folder cannot be written
	BadSource   Code = "bad_source"  // the clip ended early or could not be read
)

// Fault is an error of a device. Every error of a Sink that is about the
// device, and not about the caller, is or wraps one.
type Fault struct {
	Code   Code
	Device string
	Err    error // the cause; may be nil
}

// Error returns the operator's text.
func (f *Fault) Error() string {
	if f.Err == nil {
		return fmt.Sprintf("sound device %q: %s", f.Device, f.Code)
	}
	return fmt.Sprintf("sound device %q: %s: %v", f.Device, f.Code, f.Err)
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Text returns one sentence for the person at the gate, naming the device and
// the way out: English for "en", Chinese for everything else.
func (f *Fault) Text(lang string) string {
	t, ok := faultTexts[f.Code]
	if !ok {
		t = faultText{"声音设备“%s”出错。", "The sound device %q has a fault."}
	}
	if lang == "en" {
		return fmt.Sprintf(t.en, f.Device)
	}
	return fmt.Sprintf(t.zh, f.Device)
}

// TextOf returns the sentence of the Fault in err's chain, or "" without one.
func TextOf(err error, lang string) string {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.Text(lang)
	}
	return ""
}

type faultText struct{ zh, en string }

// faultTexts holds each sentence once per language; %s and %q is the device.
var faultTexts = map[Code]faultText{
	Absent:      {"找不到声卡“%s”，请检查声卡是否插好。", "The sound card %q is not there: check that it is plugged in."},
	Busy:        {"声卡“%s”被其他程序占用，请关闭占用它的程序。", "The sound card %q is in use by another program: close that program."},
	Denied:      {"没有权限使用声卡“%s”，请把运行账号加入 audio 组。", "No permission to use the sound card %q: add the service's account to the group audio."},
	Silenced:    {"声卡“%s”处于静音或音量为零，请打开声音。", "The sound card %q is muted or at zero volume: turn it up."},
	Dummy:       {"声音服务没有真实声卡（“%s”只是占位），请检查声卡是否插好。", "The sound server has no real card (%q is a stand-in): check that the card is plugged in."},
	Moved:       {"播放中声音被转到了别的设备（“%s”），请检查声卡是否松动。", "The sound was moved to another device during the play (%q): check the card's plug."},
	Gone:        {"播放中声卡“%s”断开，请检查插头和供电。", "The sound card %q went away during the play: check its plug and power."},
	Stalled:     {"声卡“%s”停止工作，请重新插拔或重启设备。", "The sound card %q stopped working: plug it in again or restart the device."},
	Unpaced:     {"“%s”不是真实的声卡（瞬间就播完），请改用真实的声卡。", "%q is not a real sound card (it swallows sound at once): choose a real one."},
	Starved:     {"设备太忙，声卡“%s”的声音出现中断。", "The device was too busy: the sound on %q broke off for a moment."},
	Unsupported: {"声卡“%s”不支持这段音频的格式，请重新上传为单声道或立体声。", "The sound card %q cannot play this clip's format: upload it as mono or stereo."},
	NoServer:    {"声音服务“%s”没有响应，请启动 PulseAudio 或 PipeWire。", "The sound server %q does not answer: start PulseAudio or PipeWire."},
	NoTool:      {"缺少播放程序“%s”，请安装 alsa-utils。", "The program %q is missing: install alsa-utils."},
	NoSpace:     {"无法写入“%s”，请检查磁盘空间和权限。", "Cannot write to %q: check the free space and the permissions."},
	BadSource:   {"音频内容不完整，“%s”提前结束，请重新下发素材。", "The clip ended early on %q: send the clip again."},
}
