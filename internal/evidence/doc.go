// Package evidence is the rule by which records, checkpoints and receipts
// hold together, and the check of it: the same code on the device that writes,
// in the office that receives, and with a third party that believes neither.
//
// Three things bind a journal:
//
//   - The chain. Each record names its log, its number (from 1, without gaps)
//     and the SHA-256 of the exact bytes of the record before. Anybody can
//     compute it, so alone it only shows carelessness.
//   - Checkpoints. From time to time the device signs a record with the key
//     that it was born with. Because the record holds the hash of the one in
//     front, the signature covers everything before it.
//   - Receipts. Once a day the controller signs what it holds of a journal:
//     number and hash of the newest record it acked. The device writes the
//     receipt into its journal, so that each side keeps the other's signature.
//
// Who can do what: whoever has the card but not the key can cut off or rewrite
// only what stands behind the last checkpoint, and behind the last receipt
// only if the office's side is not asked. Whoever has the controller with its
// keys can leave out whole logs or their ends, but nothing in front of a
// checkpoint. Only both together can rewrite history, and then only without
// anybody who kept a receipt or an export from before.
//
// The device's key also stands in its TLS certificate. What it signs here
// begins with checkpointDomain, whose first byte no TLS handshake transcript
// (a ClientHello, 0x01) and no TLS 1.3 signature (64 spaces) begins with, and
// no certificate request (0x30); so neither signature can pass for the other.
//
// The package is pure: it reads through fs.FS and readers that it is given,
// and has no clock. It knows wire and seal. A Log is used by one goroutine;
// everything else is safe for concurrent use.
package evidence
