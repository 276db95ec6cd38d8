// Package auth proves who somebody is: password hashes and rules, one-time
// passwords, the pause after failed logins, and server-side sessions.
//
// It owns no storage: Logins works on a small Store that the controller's
// store satisfies. Passwords are kept as argon2id in PHC string format,
// session tokens only as their SHA-256; neither is ever logged. What a known
// user may do is decided by fleet.May, not here. Values are safe for
// concurrent use.
package auth
