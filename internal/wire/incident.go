package wire

// IncidentKind is what a 安全事件 is about, by code.
type IncidentKind string

// The incidents that a device reports: each was refused, and none of them
// comes from an honest fault of network, power or memory card, with one
// exception that is named.
const (
	IncidentForged      IncidentKind = "forged"       // a document that no trusted key signed
	IncidentOtherDevice IncidentKind = "other_device" // a document signed for another device
	IncidentRollback    IncidentKind = "rollback"     // a plan or manifest older than the one held
	IncidentConflict    IncidentKind = "conflict"     // another document under a version that is held
	IncidentMixed       IncidentKind = "mixed"        // signed documents that do not belong together
	IncidentReplayed    IncidentKind = "replayed"     // a command or time answer that was used before
	IncidentTime        IncidentKind = "forged_time"  // a time that the controller did not sign, or that cannot be
	IncidentEnvelope    IncidentKind = "envelope"     // a plan that asks for what the library role forbids
	IncidentCardSwapped IncidentKind = "card_swapped" // a file on the card differs from what was signed; rot looks the same
	IncidentClipForged  IncidentKind = "clip_forged"  // what was fetched differs from the signed hash
	IncidentEndless     IncidentKind = "endless"      // more data than a message, document or clip may have
	IncidentServer      IncidentKind = "wrong_server" // somebody without our certificate answers at the controller's address
)

// DeviceIncidents lists the kinds that devices report.
var DeviceIncidents = []IncidentKind{
	IncidentForged, IncidentOtherDevice, IncidentRollback, IncidentConflict, IncidentMixed, IncidentReplayed, IncidentTime,
	IncidentEnvelope, IncidentCardSwapped, IncidentClipForged, IncidentEndless, IncidentServer,
}

// Incident is the body of RecordIncident: Count attempts of one kind from
// FirstUS to LastUS. A device writes at most one record of a kind an hour and
// counts what comes between, so that nobody can fill its card by trying.
type Incident struct {
	What    IncidentKind `json:"what"`
	Detail  string       `json:"detail,omitempty"` // of the last attempt: operator text with operands, never a secret
	Count   int64        `json:"count"`            // 1 or more
	FirstUS int64        `json:"first_us"`
	LastUS  int64        `json:"last_us"`
}
