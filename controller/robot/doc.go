// Package robot sends what happened to robots in group chats (WeCom, DingTalk,
// Feishu) and to webhooks of the office's own programs.
//
// A Desk reads the occurrences that the store has in order, writes digests and
// batches of events into the durable outbox, and tries each message until it
// is sent or given up. Chats get one digest in DigestEvery at most, never a
// message for each point; a webhook gets the events themselves, signed. What
// was written into the outbox survives power loss and is sent at least once:
// the number of a message does not change when it is tried again.
//
// Nothing else of the controller waits for a robot. The Desk is woken by a
// signal that is never waited for, works in goroutines of its own, and holds no lock
// while it talks to anybody; when it is behind, or the other side is gone, messages wait
// here and occurrences wait in the store.
//
// Where a message goes is checked twice, when a robot is added and before each
// attempt: https and the one address that the platform has, or a host that the
// operator named in the configuration; redirects are not followed. Addresses,
// secrets and telephone numbers of members are sealed in the store and stand in
// no log, no answer and no page. Texts hold no personal data: mobile numbers
// in them are masked.
//
// A Desk is safe for concurrent use.
package robot
