package evidence

import (
	"errors"
	"fmt"
	"slices"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// ErrReceipt means that a receipt is signed but says nothing that can be true.
var ErrReceipt = errors.New("receipt makes no sense")

// OpenReceipt returns the receipt in envelope when one of the director's keys
// signed it for device. The errors are those of seal.Open, and ErrReceipt.
// Receipts do not expire.
func OpenReceipt(envelope []byte, director []seal.PublicKey, device wire.DeviceID) (wire.Receipt, error) {
	var r wire.Receipt
	if _, err := seal.Open(envelope, director, seal.Expect{Type: wire.DocReceipt, Device: device}, &r); err != nil {
		return wire.Receipt{}, fmt.Errorf("opening receipt: %w", err)
	}
	switch {
	case r.Device != device:
		return wire.Receipt{}, fmt.Errorf("opening receipt: %w", seal.ErrAudience)
	case r.Version == 0 || r.Log == "" || r.Upto == 0 || len(r.Hash) != 64 || r.Count < 0 || (r.Version == 1) != (r.Prev == ""):
		return wire.Receipt{}, fmt.Errorf("opening receipt %d: %w", r.Version, ErrReceipt)
	}
	return r, nil
}

// ReceiptKeys returns the keys whose receipts count under a trust root: the
// director's, and those before it. The chain of receipts goes on under the new
// key, so that one forged with a retired key has no place in it.
func ReceiptKeys(root wire.Root) ([]seal.PublicKey, error) {
	return seal.ParsePublicKeys(append(slices.Clone(root.DirectorKeys), root.PastDirectorKeys...))
}

// OpenRoot reads a trust root that is signed by a root key of its own, as a
// device does with the first one after it has compared the hash.
func OpenRoot(envelope []byte) (wire.Root, error) {
	claimed, err := seal.Peek[wire.Root](envelope)
	if err != nil {
		return wire.Root{}, err
	}
	keys, err := seal.ParsePublicKeys(claimed.RootKeys)
	if err != nil {
		return wire.Root{}, err
	}
	var root wire.Root
	if _, err := seal.Open(envelope, keys, seal.Expect{Type: wire.DocRoot}, &root); err != nil {
		return wire.Root{}, fmt.Errorf("opening trust root: %w", err)
	}
	return root, nil
}
