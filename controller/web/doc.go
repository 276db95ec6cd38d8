// Package web is the office's pages: what is on the air and what needs
// someone, points, clips, programmes, compliance, and enrolment of devices.
//
// Pages are rendered on the server from templates parsed by New, into a buffer,
// so that a fault in a template is an error page and never half a page. All of
// them work without JavaScript; with it, cards marked live are replaced when
// something changed (see live.go). Every visible string is in a catalog,
// Chinese first (see lang.go).
//
// The route table is routes.go. Each route says which fleet.Action it needs,
// and the one wrapper there asks fleet.May; what is not in the table does not
// exist. Requests that change something are refused across origins, and the
// content security policy allows no inline script or style.
//
// The package knows fleet and auth and the small interfaces in options.go. It
// may be used by the controller's wiring only. A Server is safe for concurrent
// use.
package web
