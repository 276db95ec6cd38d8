package depot

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// The refusals that this package words itself; those of enrolment come with
// the registry's error.
var (
	malformedCode = wire.EnrolRefusal{
		Code:   "unknown_code",
		Text:   "接入码应为10位字母和数字，请对照办公室给的接入码重新输入。",
		TextEN: "A join code is 10 letters and digits. Enter it again as the office gave it.",
	}
	badRequest = wire.EnrolRefusal{
		Code:   "bad_request",
		Text:   "控制端读不懂这台设备的请求，请把设备程序和控制端升级到同一版本后重试。",
		TextEN: "The controller cannot read this device's request. Bring both programs to the same version and try again.",
	}
	tooMany = wire.EnrolRefusal{
		Code:   "unavailable",
		Text:   "尝试次数过多，请稍等一分钟再输入接入码。",
		TextEN: "Too many tries. Wait a minute before entering the join code again.",
	}
	unavailable = wire.EnrolRefusal{
		Code:   "unavailable",
		Text:   "控制端正忙，设备稍后会自动重试。",
		TextEN: "The controller is busy; the device will try again by itself.",
	}
	needCertificate = wire.EnrolRefusal{
		Code:   "bad_request",
		Text:   "设备没有出示证书，请先用接入码接入。",
		TextEN: "The device showed no certificate. Enrol it with a join code first.",
	}
	certExpired = wire.EnrolRefusal{
		Code:   "cert_expired",
		Text:   "设备证书已过期，设备会自动更新证书后再来。",
		TextEN: "The device's certificate has expired; it will renew it by itself and come back.",
	}
	notKnown = wire.EnrolRefusal{
		Code:   "not_enrolled",
		Text:   "控制端没有登记这台设备，请用接入码重新接入。",
		TextEN: "The controller does not know this device. Enrol it again with a join code.",
	}
	notActive = wire.EnrolRefusal{
		Code:   "revoked",
		Text:   "这台设备已停用或吊销，请联系办公室。",
		TextEN: "This device was retired or revoked. Ask the office.",
	}
	otherKey = wire.EnrolRefusal{
		Code:   "bad_request",
		Text:   "更新证书必须使用设备原来的密钥；要换密钥，请用接入码重新接入。",
		TextEN: "A certificate is renewed for the same key only. To change the key, enrol again with a join code.",
	}
)

// codeRefusals are the refusals of a join code that could be read, by the code
// of the registry's error; the operand is the join code as people write it.
var codeRefusals = map[fleet.Code]wire.EnrolRefusal{
	fleet.NotFound: {
		Code:   "unknown_code",
		Text:   "没有“%s”这个接入码。请核对后重新输入，或让办公室重新生成一个。",
		TextEN: "There is no join code %s. Check it and enter it again, or ask the office for a new one.",
	},
	fleet.Conflict: {
		Code:   "used_code",
		Text:   "接入码“%s”已被另一台设备使用，每个接入码只能用一次。请让办公室重新生成一个。",
		TextEN: "Join code %s was used by another device; each works once. Ask the office for a new one.",
	},
	fleet.Invalid: {
		Code:   "expired_code",
		Text:   "接入码“%s”已过期。请让办公室重新生成一个。",
		TextEN: "Join code %s has expired. Ask the office for a new one.",
	},
}

func refuse(w http.ResponseWriter, status int, r wire.EnrolRefusal) { writeJSON(w, status, r) }

// busy answers what is the controller's own fault.
func busy(w http.ResponseWriter) { later(w, retryBusy, unavailable) }

// later tells the device when to come back.
func later(w http.ResponseWriter, after time.Duration, r wire.EnrolRefusal) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(after.Seconds())))))
	status := http.StatusServiceUnavailable
	if r.Text == tooMany.Text {
		status = http.StatusTooManyRequests
	}
	refuse(w, status, r)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the device asks again
}
