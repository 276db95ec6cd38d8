// Package link keeps a device in touch with its controller: one MQTT session
// for what is short, HTTPS for documents and clips.
//
// Nothing here is needed to play. The broker is an untrusted pipe that may
// lose, repeat and reorder; so what a device has is said in every hello and
// state and the controller sends what is missing, records are sent again
// until they are acked, offers and commands count only by their signatures,
// and every message is QoS 0. A Link that is cut off goes on trying, with
// growing pauses, for as long as it runs.
//
// On disk: <dir>/link.json, the number up to which sessions are reserved.
//
// Only the wiring of the agent uses this package. Everything it needs of
// journal, plans, clips, clock and playout it takes as interfaces of its own.
// A Link is safe for concurrent use.
package link
