// Package api is what programs of the office read and do over HTTPS: JSON
// below /api/v1/.
//
// It owns its routes and the one way in: a token in the field Authorization
// (Bearer). A cookie is worth nothing here, a token nothing on the pages, and
// one in an address is not looked at. A call may do what the scopes of its
// token say and the role of its owner still allows. Errors are
// {"code","text","text_en"} with the status that belongs to the code; a query
// parameter that the route does not know is an error, so that a mistyped filter
// never answers with everything.
//
// Telephone numbers are not served. Answers of version 1 only gain fields. A
// Server is safe for concurrent use.
package api
