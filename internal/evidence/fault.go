package evidence

import (
	"fmt"

	"gatecast/internal/wire"
)

// Code says what is wrong.
type Code string

// What can be wrong with a record or a log. The words for it are where people
// read it.
const (
	Unreadable Code = "unreadable" // not a record
	Foreign    Code = "foreign"    // a record of another log
	Missing    Code = "missing"    // records From to Seq−1 are not there, and nothing signed says why
	Order      Code = "order"      // a number that was there already, or out of turn
	Chain      Code = "chain"      // does not hold the hash of the record before: one of the two was changed
	Forged     Code = "forged"     // a checkpoint whose signature does not fit: something in From to Seq was changed
	Stranger   Code = "stranger"   // a checkpoint by the key of another device
	Unsigned   Code = "unsigned"   // more records without a checkpoint than a device writes
	Backwards  Code = "backwards"  // time since boot goes back, or a boot comes back
	Receipt    Code = "receipt"    // a receipt says that this record has another hash
	Cut        Code = "cut"        // a signature says that the log was longer: From is the first record that is not there
	BadReceipt Code = "badreceipt" // a receipt that the controller did not sign, or that makes no sense
	Fork       Code = "fork"       // two receipts of one number, or one that does not follow from the one before
	Disputed   Code = "disputed"   // the device's journal said something else than the receipt when it came
	LostLog    Code = "lostlog"    // a log that a checkpoint names is not there
	Changed    Code = "changed"    // a file of an export is not the one that was sealed; Detail names it
)

// Codes lists all of them.
func Codes() []Code {
	return []Code{
		Unreadable, Foreign, Missing, Order, Chain, Forged, Stranger, Unsigned, Backwards,
		Receipt, Cut, BadReceipt, Fork, Disputed, LostLog, Changed,
	}
}

// Fault is one thing that is wrong.
type Fault struct {
	Code   Code
	Device wire.DeviceID
	Log    wire.LogID
	Seq    wire.Seq // where it shows; 0 when it is no record's
	From   wire.Seq // first record that may be the cause; 0 when that is Seq
	Detail string   // operands, as they are
}

// Error makes a Fault an error for operators.
func (f Fault) Error() string {
	at := fmt.Sprintf("log %q of device %q", f.Log, f.Device)
	if f.Seq > 0 {
		at = fmt.Sprintf("record %d of %s", f.Seq, at)
	}
	if f.From > 0 {
		at += fmt.Sprintf(", from %d", f.From)
	}
	if f.Detail != "" {
		at += ": " + f.Detail
	}
	return string(f.Code) + ": " + at
}
