package enrol

import (
	"context"
	"fmt"
	"time"

	"gatecast/internal/wire"
)

// RenewAt returns when the certificate should be renewed: after two thirds of
// its life, so that a device that is offline for months still has time left.
func (id *Identity) RenewAt() time.Time {
	from, to := id.Validity()
	return from.Add(to.Sub(from) / 3 * 2)
}

// Renew asks base (https://host:port) for a new certificate for the same key,
// showing the present one, and stores it durably before it is used. On an
// error, an *Error unless ctx ended, the present one stays.
func (id *Identity) Renew(ctx context.Context, base string, clock Clock) error {
	csr, err := signingRequest(id.key)
	if err != nil {
		return &Error{Code: BadDisk, Subject: id.dir, Err: err}
	}
	answer, err := post(ctx, transport(id.HTTP, id.TLS(clock)), defaultTimeout, base+wire.PathRenew, wire.EnrolRequest{CSR: csr})
	if err != nil {
		return named(ctx, err, base)
	}
	cert, err := id.checkCert(answer.Cert)
	if err != nil {
		return &Error{Code: BadAnswer, Subject: base, Err: err}
	}
	if err := id.save(cert); err != nil {
		return &Error{Code: BadDisk, Subject: id.dir, Err: fmt.Errorf("storing renewed certificate: %w", err)}
	}
	return nil
}
