// Package attack is the acceptance suite of attacks on a gate: the list of TUF
// and Uptane (eavesdrop, drop, slow, freeze, partial, rollback, endless data,
// mix-and-match, arbitrary audio) by everybody who could try: a malicious
// broker, whoever has the director's key, a network attacker, a hand at the
// memory card, somebody who replays commands or forges the time.
//
// Each attack is a subtest on the real agent with real TLS, keys and files,
// against an office that does what the attacker wants. It holds that nothing
// sounded but the approved clip at its time, that no version went back, and
// that the incident which the device reports is taken by the real store as one
// of its point. Cells that do not apply are in inapplicable, with the reason.
package attack
