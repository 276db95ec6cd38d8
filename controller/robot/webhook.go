package robot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gatecast/controller/fleet"
)

// The fields of a webhook's request.
const (
	HeaderDelivery  = "Gatecast-Delivery"  // number of the message; the same when it is tried again
	HeaderTimestamp = "Gatecast-Timestamp" // of the attempt, seconds since 1970 UTC
	HeaderSignature = "Gatecast-Signature" // see Sign
)

// webhook is a program of the office's own; every success is 2xx.
type webhook struct{}

func (webhook) allows(*url.URL) bool { return false } // only what the operator named

func (webhook) limits() limits { return limits{burst: 10, rate: 1, penalty: time.Minute} }

func (webhook) request(m message, target fleet.RobotTarget, now time.Time) (call, error) {
	h := http.Header{}
	h.Set(HeaderDelivery, strconv.FormatInt(int64(m.ID), 10))
	h.Set(HeaderTimestamp, strconv.FormatInt(now.Unix(), 10))
	h.Set(HeaderSignature, Sign(target.Secret, now, []byte(m.Text)))
	return call{url: target.URL, body: []byte(m.Text), header: h}, nil
}

func (webhook) verdict([]byte) reply { return reply{} }

// Sign returns the signature of a webhook's request: "v1=" and the hex
// HMAC-SHA256, under the secret, of the seconds of at, a dot, and the body.
func Sign(secret string, at time.Time, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(strconv.FormatInt(at.Unix(), 10) + "."))
	h.Write(body)
	return "v1=" + hex.EncodeToString(h.Sum(nil))
}
