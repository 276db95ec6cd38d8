package depot

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/trust"
	"gatecast/internal/wire"
)

// maxBody bounds an enrolment request, in bytes.
const maxBody = 16 << 10

// maxHardware bounds what a device may say it is.
const maxHardware = 200

// enrol makes a device a member. Only wrong tries count against an address,
// so that a whole estate can enrol from behind one router.
func (p *port) enrol(w http.ResponseWriter, r *http.Request) {
	from := address(r)
	wait, ok := p.tries.take(from, p.o.Now())
	if !ok {
		p.logger.Warn("too many enrolment tries", "from", from)
		p.o.OnRefused(fleet.Incident{Kind: fleet.IncidentCodeGuess, From: from, Detail: "too many wrong join codes"})
		later(w, wait, tooMany)
		return
	}
	req, ok := p.request(w, r)
	if !ok {
		return
	}
	code, err := trust.NormalizeCode(req.Code)
	if err != nil {
		p.logger.Info("enrolment refused", "from", from, "reason", err)
		refuse(w, http.StatusForbidden, malformedCode)
		return
	}
	cert, id, spki, ok := p.issue(w, req, from)
	if !ok {
		return
	}
	point, err := p.o.Store.Enrol(r.Context(), trust.HashCode(code), fleet.Device{ID: id, SPKI: spki, Hardware: hardware(req.Hardware)}, p.o.Now())
	if err != nil {
		p.refuseEnrolment(w, from, id, code, err)
		return
	}
	p.tries.giveBack(from)
	p.logger.Info("device enrolled", "device", id, "point", point.Code, "from", from)
	p.o.OnEnrolled(id)
	p.answer(w, id, point, cert)
}

// refuseEnrolment says why code, normalised, did not enrol the device.
func (p *port) refuseEnrolment(w http.ResponseWriter, from string, id wire.DeviceID, code string, err error) {
	var told *fleet.Error
	r, ok := codeRefusals[fleet.CodeOf(err)]
	switch {
	case ok:
		shown := trust.ShowCode(code)
		r.Text, r.TextEN = fmt.Sprintf(r.Text, shown), fmt.Sprintf(r.TextEN, shown)
	case fleet.CodeOf(err) == fleet.Forbidden && errors.As(err, &told):
		r = wire.EnrolRefusal{Code: "revoked", Text: told.Text, TextEN: told.TextEN}
	default:
		p.logger.Error("enrolling", "device", id, "from", from, "err", err)
		busy(w)
		return
	}
	p.logger.Info("enrolment refused", "device", id, "from", from, "reason", r.Code)
	switch fleet.CodeOf(err) {
	case fleet.NotFound:
		if p.tries.spent(from) >= guesses {
			p.o.OnRefused(fleet.Incident{Kind: fleet.IncidentCodeGuess, From: from, Detail: "join codes that nobody issued"})
		}
	case fleet.Conflict:
		p.o.OnRefused(fleet.Incident{Kind: fleet.IncidentCodeReused, From: from, Detail: "by device " + string(id)})
	case fleet.Forbidden:
		p.o.OnRefused(fleet.Incident{Kind: fleet.IncidentRevoked, Device: id, From: from, Detail: "enrolment with the old key"})
	}
	refuse(w, http.StatusForbidden, r)
}

// renew gives a fresh certificate to a device that is active or in quarantine,
// even after the old one has expired.
func (p *port) renew(w http.ResponseWriter, r *http.Request) {
	d, ok := p.known(w, r, mayRenew, true)
	if !ok {
		return
	}
	req, ok := p.request(w, r)
	if !ok {
		return
	}
	cert, id, _, ok := p.issue(w, req, address(r))
	if !ok {
		return
	}
	if id != d.ID {
		refuse(w, http.StatusForbidden, otherKey)
		return
	}
	point, err := p.o.Store.Point(r.Context(), d.Point)
	if err != nil {
		p.logger.Error("reading point", "point", d.Point, "err", err)
		busy(w)
		return
	}
	p.logger.Info("certificate renewed", "device", id)
	p.answer(w, id, point, cert)
}

// request reads the body of enrolment and renewal.
func (p *port) request(w http.ResponseWriter, r *http.Request) (wire.EnrolRequest, bool) {
	var req wire.EnrolRequest
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, badRequest)
		return req, false
	case err != nil:
		refuse(w, http.StatusBadRequest, badRequest)
		return req, false
	}
	return req, true
}

func (p *port) issue(w http.ResponseWriter, req wire.EnrolRequest, from string) (cert []byte, id wire.DeviceID, spki []byte, ok bool) {
	cert, id, spki, err := p.o.Trust.IssueDevice(req.CSR, p.o.Now())
	switch {
	case errors.Is(err, trust.ErrCSR):
		p.logger.Info("enrolment refused", "from", from, "reason", err)
		refuse(w, http.StatusBadRequest, badRequest)
	case err != nil:
		p.logger.Error("issuing certificate", "from", from, "err", err)
		busy(w)
	default:
		return cert, id, spki, true
	}
	return nil, "", nil, false
}

func (p *port) answer(w http.ResponseWriter, id wire.DeviceID, point fleet.Point, cert []byte) {
	writeJSON(w, http.StatusOK, wire.EnrolAnswer{
		Device: id, Point: point.Code, PointName: point.Name, Cert: cert, CA: p.o.Trust.CA(), MQTT: p.o.MQTTAddr,
	})
}

// hardware keeps what can be shown in one line.
func hardware(s string) string {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if len(out) == maxHardware {
			break
		}
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}

// retryBusy is what a device is told to wait while the controller cannot
// serve it.
const retryBusy = 10 * time.Second
