// Package doorway is what stands between the network and the controller's
// HTTP servers: whose address a request has, how many connections one address
// may hold, how long a request may take to arrive, and which certificate is
// shown.
//
// It knows no page and no account. Everything in it is safe for concurrent
// use.
package doorway
