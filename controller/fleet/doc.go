// Package fleet is the domain of the controller: the registry of units, grids,
// compounds, points, groups, liaisons and devices, the clips and programmes
// the office keeps, and what is owed and settled. It does no I/O, knows no
// clock and imports no adapter; store, web, ledger and link know it.
//
// One word per idea: a unit is an office or community; a point is a gate
// speaker or village loudspeaker and owes slots; a device is the agent bound
// to a point for a time; an obligation is one slot owed by one point on one
// day; a verdict settles it.
package fleet
