package api

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// The codes that only the API has.
const (
	unauthorized fleet.Code = "unauthorized"
	tooMany      fleet.Code = "too_many"
)

var (
	errNoCall  = &fleet.Error{Code: fleet.NotFound, Text: "没有这个接口，请核对地址和方法。", TextEN: "There is no such call. Check the address and the method."}
	errNoToken = &fleet.Error{Code: unauthorized, Text: "请在 Authorization: Bearer 里给出有效的令牌。", TextEN: "Show a valid token as Authorization: Bearer."}
	errEnded   = &fleet.Error{Code: unauthorized, Text: "令牌已到期或已吊销，请管理员另发。", TextEN: "The token has ended or was revoked. Ask the administrator for another."}
	errOwner   = &fleet.Error{Code: fleet.Forbidden, Text: "令牌所属的账号已停用。", TextEN: "The account that the token belongs to is out of use."}
	errScope   = &fleet.Error{Code: fleet.Forbidden, Text: "令牌没有这项权限。", TextEN: "The token does not carry this right."}
	errRate    = &fleet.Error{Code: tooMany, Text: "请求太多，请按 Retry-After 稍后再试。", TextEN: "Too many calls. Try again after Retry-After."}
)

var statuses = map[fleet.Code]int{
	unauthorized:    http.StatusUnauthorized,
	tooMany:         http.StatusTooManyRequests,
	fleet.NotFound:  http.StatusNotFound,
	fleet.Invalid:   http.StatusUnprocessableEntity,
	fleet.Conflict:  http.StatusConflict,
	fleet.Forbidden: http.StatusForbidden,
	fleet.Full:      http.StatusInsufficientStorage,
	fleet.Internal:  http.StatusInternalServerError,
}

// refusal is the JSON of an error.
type refusal struct {
	Code   fleet.Code `json:"code"`
	Text   string     `json:"text"`
	TextEN string     `json:"text_en"`
	Ref    string     `json:"ref,omitempty"` // also in the log
}

func later(w http.ResponseWriter, wait time.Duration) error {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	return errRate
}

// refuse answers with an error. What is the controller's own fault gets a
// reference that stands in the log beside the cause.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var fe *fleet.Error
	if errors.As(err, &fe) && fe.Code != fleet.Internal {
		write(w, statuses[fe.Code], refusal{Code: fe.Code, Text: fe.Text, TextEN: fe.TextEN})
		return
	}
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	ref := strings.ToUpper(hex.EncodeToString(b[:]))
	s.o.Logger.Error("answering api call", "method", r.Method, "path", r.URL.Path, "ref", ref, "err", err)
	write(w, http.StatusInternalServerError, refusal{
		Code: fleet.Internal, Text: "主控出错，请把编号告诉管理员。", TextEN: "The controller failed. Tell the administrator the reference.", Ref: ref,
	})
}

func invalid(zh, en string) error { return &fleet.Error{Code: fleet.Invalid, Text: zh, TextEN: en} }
