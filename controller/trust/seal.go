package trust

import (
	"errors"
	"time"

	"gatecast/internal/evidence"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// SealPlan signs p as director. Type is set; IssuedUS is set where it is 0.
// A plan without device or version is an error. p is not changed or kept.
func (a *Authority) SealPlan(p *wire.Plan) ([]byte, error) {
	doc := *p
	if doc.Device == "" || doc.Version == 0 {
		return nil, errors.New("sealing a plan: device and version are required")
	}
	a.stamp(&doc.Header, wire.DocPlan)
	return seal.Sign(doc, a.director)
}

// SealManifest signs m as library. Type is set; IssuedUS is set where it is
// 0. A manifest without version is an error. In strict mode it is
// ErrNeedsSigning. m is not changed or kept.
func (a *Authority) SealManifest(m *wire.Manifest) ([]byte, error) {
	doc := *m
	if doc.Version == 0 {
		return nil, errors.New("sealing a manifest: version is required")
	}
	if a.strict {
		return nil, ErrNeedsSigning
	}
	a.stamp(&doc.Header, wire.DocManifest)
	return seal.Sign(doc, a.library)
}

// SealTime signs now for the connection whose hello carried nonce.
func (a *Authority) SealTime(device wire.DeviceID, nonce string, now time.Time) ([]byte, error) {
	if device == "" || nonce == "" {
		return nil, errors.New("sealing a time answer: device and nonce are required")
	}
	return seal.Sign(wire.TimeAnswer{
		Header: wire.Header{Type: wire.DocTime, Device: device, Version: 1, IssuedUS: wire.US(now)},
		Nonce:  nonce, NowUS: wire.US(now),
	}, a.director)
}

// SealReceipt signs r as director. Type is set. Device, number, journal, record
// and its hash are required. r is not changed or kept.
func (a *Authority) SealReceipt(r *wire.Receipt) ([]byte, error) {
	doc := *r
	if doc.Device == "" || doc.Version == 0 || doc.Log == "" || doc.Upto == 0 || doc.Hash == "" {
		return nil, errors.New("sealing a receipt: device, number, journal, record and hash are required")
	}
	a.stamp(&doc.Header, wire.DocReceipt)
	return seal.Sign(doc, a.director)
}

// OpenReceipt returns a receipt that this controller signed for device, also
// with a key that was rotated away.
func (a *Authority) OpenReceipt(envelope []byte, device wire.DeviceID) (wire.Receipt, error) {
	keys, err := evidence.ReceiptKeys(a.rootDoc)
	if err != nil {
		return wire.Receipt{}, err
	}
	return evidence.OpenReceipt(envelope, keys, device)
}

// InForce reports whether a document that this office sealed, plan or
// manifest, is by a key of its role in the present root document. Devices
// refuse it otherwise.
func (a *Authority) InForce(t wire.DocType, envelope []byte) bool {
	if t == wire.DocManifest {
		return seal.SignedBy(envelope, a.LibraryKeys()...)
	}
	return seal.SignedBy(envelope, a.DirectorKeys()...)
}

// OpenManifest returns a manifest that the library role signed.
func (a *Authority) OpenManifest(envelope []byte) (wire.Manifest, error) {
	var m wire.Manifest
	_, err := seal.Open(envelope, a.LibraryKeys(), seal.Expect{Type: wire.DocManifest}, &m)
	return m, err
}

// SealRevocation signs as director that device is not trusted since at.
func (a *Authority) SealRevocation(device wire.DeviceID, at time.Time) ([]byte, error) {
	if device == "" {
		return nil, errors.New("sealing a revocation: device is required")
	}
	doc := wire.Revocation{Header: wire.Header{Device: device, Version: 1}, AtUS: wire.US(at)}
	a.stamp(&doc.Header, wire.DocRevoked)
	return seal.Sign(doc, a.director)
}

// SealContents signs the table of contents of an export as director.
func (a *Authority) SealContents(c *evidence.Contents) ([]byte, error) {
	doc := *c
	doc.Version = 1
	a.stamp(&doc.Header, wire.DocExport)
	return seal.Sign(doc, a.director)
}

// SealCommand signs c as director. Type is set; IssuedUS is set where it is
// 0. Device, id, counter, nonce and an expiry are required. c is not changed
// or kept.
func (a *Authority) SealCommand(c *wire.Command) ([]byte, error) {
	doc := *c
	if doc.Device == "" || doc.ID == "" || doc.Counter == 0 || doc.Nonce == "" || doc.ExpiresUS == 0 {
		return nil, errors.New("sealing a command: device, id, counter, nonce and expiry are required")
	}
	if doc.Version == 0 {
		doc.Version = 1
	}
	a.stamp(&doc.Header, wire.DocCommand)
	return seal.Sign(doc, a.director)
}

func (a *Authority) stamp(h *wire.Header, t wire.DocType) {
	h.Type = t
	if h.IssuedUS == 0 {
		h.IssuedUS = wire.US(a.now())
	}
}

// SealMute signs m as director. Type is set; IssuedUS is set where it is 0.
// Device and number are required. m is not changed or kept.
func (a *Authority) SealMute(m *wire.Mute) ([]byte, error) {
	doc := *m
	if doc.Device == "" || doc.Version == 0 {
		return nil, errors.New("sealing a mute: device and number are required")
	}
	a.stamp(&doc.Header, wire.DocMute)
	return seal.Sign(doc, a.director)
}
