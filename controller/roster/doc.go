// Package roster brings the office's rosters in from tables that people keep in
// Excel or WPS and gives them out again: units, liaisons, grids, compounds,
// property companies, points and groups, one sheet each or all in one file.
//
// A roster is described once, by its columns: how a column may be headed, how
// its cells are read and printed, and what it allows. Import, export and the
// templates follow from that, so a sheet that was given out can be taken back,
// and taking it back changes nothing.
//
// Check reads a file against the registry and says, for each row, what it would
// add, change or leave, and for each wrong cell why, without changing anything.
// Carry does it, in one transaction. What a file says is taken like this:
//
//   - A row is known by its code (grids by unit and number, compounds and
//     liaisons by unit and name, companies by name). What the registry has and
//     the file does not name stays.
//   - An empty cell leaves what is known. The word 清空 empties a field.
//   - A cell that says what an export would say changes nothing: a masked
//     telephone number that was given out comes back as itself.
//   - A unit is named by its code, its full name, its short name or one of its
//     aliases, whether the registry has it or another sheet of the file.
//   - A group without a name gets the name of the naming rule; one without a
//     code is the group of its place, or a new one with the next code.
//   - An identity number anywhere in a file refuses its row: the office has no
//     use for it.
//
// It does no I/O of its own besides the registry it is given, and knows no
// pages. Functions are safe for concurrent use; a Check belongs to one caller.
package roster
