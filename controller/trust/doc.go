// Package trust keeps the controller's keys and says who is who.
//
// It owns the three signing keys (root, library, director), the certificate
// authority of the fleet, the certificates the controller shows to devices
// and to its own broker, and the signed root document that pins all of them.
// It issues device certificates, seals documents, and makes join codes. It
// knows no registry: whether a device may still come in is asked elsewhere.
//
// On disk, in a folder of its own (mode 0700), every file mode 0600 and
// written durably:
//
//	root.key, library.key, director.key  Ed25519 seeds, base64
//	ca.key, ca.crt                       PEM; P-256, 20 years
//	server.key, server.crt               PEM; what devices see; reissued as needed
//	link.key, link.crt                   PEM; the controller's own MQTT identity
//	root.json                            envelope of the root document
//
// root.json is written last and marks the folder as complete: from then on a
// missing key is an error and never replaced by a fresh one, because the fleet
// would not follow it. Only root.key may be absent, kept offline; it is needed
// again when the root document has to change. An Authority is safe for
// concurrent use; a folder belongs to one process.
package trust
