package wire

// Paths of the controller's device port (HTTPS). Clips and documents need the
// device's certificate; the root documents and enrolment do not.
const (
	PathRoot  = "/trust/root"  // GET: envelope of the newest Root, checked against the pinned hash
	PathRoots = "/trust/root/" // GET + version: envelope of that Root; 404 where there is none
	PathEnrol = "/enrol"       // POST EnrolRequest → EnrolAnswer, or EnrolRefusal
	PathRenew = "/renew"       // POST EnrolRequest without code, with the old certificate
	PathClips = "/clips/"      // GET + sha256, with Range
	PathDocs  = "/docs/"       // GET + sha256
	// PathRevoked is GET: the envelope of the asking device's Revocation; 404
	// while it is not revoked.
	PathRevoked = "/revoked"
)

// EnrolRequest asks for a certificate.
type EnrolRequest struct {
	Code     string `json:"code"`    // join code as typed; case, spaces and dashes do not count
	CSR      []byte `json:"csr_der"` // PKCS #10
	Hardware string `json:"hardware,omitempty"`
}

// EnrolAnswer makes a device a member.
type EnrolAnswer struct {
	Device    DeviceID `json:"device"`
	Point     string   `json:"point"`
	PointName string   `json:"point_name"`
	Cert      []byte   `json:"cert_der"`
	CA        []byte   `json:"ca_der"`
	MQTT      string   `json:"mqtt"` // host:port; an empty host means the one enrolled at
}

// EnrolRefusal is the body of a refused enrolment; Text is for the person at
// the gate, in Chinese, TextEN in English.
type EnrolRefusal struct {
	Code   string `json:"code"` // unknown_code, used_code, expired_code, bad_request, unavailable
	Text   string `json:"text"`
	TextEN string `json:"text_en"`
}

// Root is the trust root: which keys speak for which role, and the CA. Its
// own signature is by the root key inside it; a device takes the first one by
// the hash it was given on paper, and later ones, version by version, when a
// root key of the one before signed too.
type Root struct {
	Header
	RootKeys     []string `json:"root_keys"`              // Ed25519 public keys, base64
	LibraryKeys  []string `json:"library_keys"`           //
	DirectorKeys []string `json:"director_keys"`          //
	ReleaseKeys  []string `json:"release_keys,omitempty"` //
	// PastDirectorKeys signed for the director before and count for what they
	// left behind: receipts, and revocations that a device holds already. No
	// plan, command or time counts by them.
	PastDirectorKeys []string `json:"past_director_keys,omitempty"`
	// CAs are the controller's CA certificates, the one that issues first. A
	// second one is on its way out: see trust.Rotate.
	CAs [][]byte `json:"cas_der"`
}
