// Package enrol makes a device a member of one controller and keeps what it
// became: its key, its certificate and the trust root it was given.
//
// The key is born here and never leaves. It is that of the TLS certificate and
// signs the checkpoints of the journal (package evidence says why the one
// cannot be taken for the other). Join pins the controller by the hash
// of its trust root, which travels on paper, in a QR code or in one pasted
// line; from then on only certificates of the CA inside that root count, at
// any time the own clock may show.
//
// On disk, in a folder of its own (mode 0700):
//
//	key.pem, key-copy.pem  the private key twice, PKCS #8, mode 0600
//	root.json              the envelope of the trust root, as received; and root-copy.json
//	identity.json          who we are, where the controller is, our certificate; and identity-copy.json
//
// identity.json is written last and is the commit: without it and its copy the
// device is not enrolled, and Join may be repeated with the same key and code.
// Every write is durable, and every file but the root, whose hash is pinned,
// ends with a checksum. What a card has damaged is restored from its copy when
// the identity is loaded. Only the wiring of the agent and its command use this
// package; an Identity is safe for concurrent use.
package enrol
