// Package trust keeps the controller's keys and says who is who.
//
// It owns the signing keys (root, library, director, release), the certificate
// authority of the fleet, the certificates the controller shows to devices
// and to its own broker, and the signed root document that pins all of them.
// It issues device certificates, seals documents, makes join codes, and
// replaces keys (Rotate). It knows no registry: whether a device may still come
// in is asked elsewhere.
//
// On disk, in a folder of its own (mode 0700), every file mode 0600 and
// written durably:
//
//	root.key, release.key      Ed25519 seeds, base64; better kept offline
//	library.key, director.key  likewise; in daily use
//	library.pub                the public half, where the approver has the other: strict mode
//	ca.key, ca.crt             PEM; P-256, 20 years; signs devices
//	ca-old.key, ca-old.crt     the CA before, until a rotation of it is finished
//	server.key, server.crt     PEM; what devices see; reissued as needed
//	link.key, link.crt         PEM; the controller's own MQTT identity
//	root.json                  envelope of the root document
//	root-N.json                those of before, for devices that have to follow
//
// root.json marks the folder as complete: from then on a missing key is an
// error and never replaced by a fresh one, because the fleet would not follow
// it. Only root.key and release.key may be absent, kept offline; root.key is
// needed again when the root document has to change.
//
// A rotation writes what is new as NAME.vN beside the old and then root.json of
// version N, which is the commit: Open finishes it when N is in force and
// forgets it otherwise. The secret of before is deleted with it (a disk may
// still keep its blocks); the public one stays in root-N.json. Devices walk the
// chain root N → N+1 one by one, each signed by the one before, and refuse from
// then on whatever a retired key signed, but for receipts and for revocations
// that they hold already.
//
// An Authority is safe for concurrent use; a folder belongs to one process.
package trust
