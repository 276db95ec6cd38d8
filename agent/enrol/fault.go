package enrol

import (
	"errors"
	"fmt"
)

// Code says why enrolment did not happen, stable across versions.
type Code string

// The codes. The first five are the controller's own words.
const (
	UnknownCode Code = "unknown_code" // no such join code
	UsedCode    Code = "used_code"    // it enrolled another device
	ExpiredCode Code = "expired_code" // older than its validity
	BadRequest  Code = "bad_request"  // the controller could not read the request
	Unavailable Code = "unavailable"  // the controller cannot enrol now

	BadLine     Code = "bad_line"    // the join line is not one
	Unreachable Code = "unreachable" // no connection
	NoRoot      Code = "no_root"     // whoever answers is not a controller
	WrongRoot   Code = "wrong_root"  // a controller, but not the one of the join line
	Impostor    Code = "impostor"    // its certificate is not of the pinned CA
	BadAnswer   Code = "bad_answer"  // the answer does not fit our key or the CA
	BadDisk     Code = "bad_disk"    // what enrolment needs could not be stored or read
	OtherHome   Code = "other_home"  // already enrolled at another controller
)

// Error is why Join, Load or ParseJoinLine did not succeed.
type Error struct {
	Code    Code
	Subject string // the address, code or file concerned
	Zh, En  string // the controller's own sentences; empty for the standard ones
	Err     error  // the cause; may be nil
}

// Error returns the operator's text.
func (e *Error) Error() string {
	s := fmt.Sprintf("enrolling with %q: %s", e.Subject, e.Code)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Text returns one sentence for the person at the gate that names the thing
// and the way out: English for "en", Chinese for everything else.
func (e *Error) Text(lang string) string {
	t, ok := texts[e.Code]
	if !ok {
		t = texts[BadRequest]
	}
	own, form := e.Zh, t.zh
	if lang == "en" {
		own, form = e.En, t.en
	}
	if own != "" {
		return own
	}
	return fmt.Sprintf(form, e.Subject)
}

// Retry reports whether the same line may work later without anyone acting:
// true for faults of the network and of the controller, false for refusals.
func (e *Error) Retry() bool {
	switch e.Code {
	case Unavailable, Unreachable, NoRoot, Impostor:
		return true
	}
	return false
}

// TextOf returns the sentence of the *Error in err's chain, or "" without one.
func TextOf(err error, lang string) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Text(lang)
	}
	return ""
}

func badLine(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: BadLine, Subject: err.Error()}
}

type text struct{ zh, en string }

// texts holds each sentence once per language; the operand is Subject.
var texts = map[Code]text{
	UnknownCode: {"没有“%s”这个接入码，请核对后重新输入，或在后台重新生成。", "There is no join code %q: check it, or make a new one in the office."},
	UsedCode:    {"接入码“%s”已被另一台设备使用，请在后台为这个点位重新生成。", "Join code %q was used by another device: make a new one for this point in the office."},
	ExpiredCode: {"接入码“%s”已过期，请在后台重新生成。", "Join code %q has expired: make a new one in the office."},
	BadRequest:  {"控制中心“%s”不接受本机的入网请求，请把设备程序和控制中心升级到同一版本。", "The controller at %q did not accept the request: bring this program and the controller to the same version."},
	Unavailable: {"控制中心“%s”暂时不能办理入网，请稍后再试。", "The controller at %q cannot enrol devices right now: try again later."},
	BadLine:     {"入网命令有误（%s），请从后台完整复制整行后重试。", "The join line is wrong (%s): copy the whole line from the office again."},
	Unreachable: {"连不上控制中心“%s”，请检查网线、地址和端口。", "The controller at %q cannot be reached: check the cable, the address and the port."},
	NoRoot:      {"“%s”上的服务不是门播控制中心，请核对地址和端口。", "What answers at %q is not a Gatecast controller: check the address and the port."},
	WrongRoot:   {"“%s”不是发出这条入网命令的控制中心（指纹不符），请从后台重新复制整行。", "%q is not the controller this join line came from (its fingerprint differs): copy the line again."},
	Impostor:    {"“%s”出示的证书不属于这个控制中心，本机拒绝连接，请检查网络中是否有代理或冒充的设备。", "The certificate shown at %q is not of this controller; the device refused it: look for a proxy or an impostor in the network."},
	BadAnswer:   {"控制中心“%s”发回的证书与本机不符，请在后台重新生成接入码再试。", "The certificate that the controller at %q sent does not fit this device: make a new join code and try again."},
	BadDisk:     {"无法读写“%s”，请检查磁盘空间、权限和存储卡。", "Cannot read or write %q: check the free space, the permissions and the memory card."},
	OtherHome:   {"本机已在控制中心“%s”入网；要换到另一个控制中心，请先清空设备数据目录。", "This device already belongs to the controller at %q: to move it, empty its data folder first."},
}
