// Package sheet reads the tables that people keep in Excel and WPS, and writes
// tables that those programs open without spoiling them.
//
// Read takes an .xlsx workbook or a CSV file (UTF-8 with or without BOM,
// GBK, UTF-16; comma, tab or semicolon) and returns its cells as text, each
// with the row number that the clerk's program shows. Find looks for the row of
// headings by their names, so that titles above it, other orders of the columns
// and columns of the clerk's own do no harm. Text, Code, Phone, Number and
// Date bring what a cell holds into one form.
//
// Formulas are never computed. A cell with a formula is read as the result that
// the program stored in it, which is what the clerk saw; where none is stored,
// or the result is an error, reading fails and names the cell. Macros, links
// and pictures are not looked at, and a workbook with macros or a password is
// refused.
//
// A file is a stranger's: before excelize opens it, every part of the archive
// is unpacked once against a limit and its XML is walked to the end, so that a
// bomb costs no memory, a document type declaration is refused, and a damaged
// file cannot pass as a shorter one. Reading takes memory in proportion to
// Limits, not to what a file claims about itself.
//
// WriteXLSX and WriteCSV write every cell as text, phones and codes too. What
// would start a formula stays text: by the type and the format of the cell in
// a workbook, by a leading apostrophe in CSV, which Read takes off again.
//
// Errors that are a *fleet.Error hold a sentence for the clerk. All functions
// are safe for concurrent use.
package sheet
