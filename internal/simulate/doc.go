// Package simulate runs a whole office with its gates in virtual time: the real
// agent and the real controller, wired as they are in their programs, on
// simulated machines. One seed decides everything that happens, so that what
// went wrong once goes wrong again.
//
// Real are agent.Run with everything below it (enrolment, journal, plan,
// library, playout, time, link) and, of the controller, store (SQLite on a
// folder), trust, media, planner, ledger, link and the device port's handler.
// Simulated are what surrounds them: the clock of each device (kernel), its
// memory card (package disk below), its sound card (card), power, the network
// with its broker (network), the files that a controller leaves when it is
// killed or restored (office), and people (people). TLS and the pages are not
// here; internal/acceptance runs them.
//
// The sound card writes down what sounded when, in true time. That is the
// truth which records, verdicts and the invariants I1 to I8 are held against
// (truth, watch, ledger, evidence; each says what it cannot see).
//
// # Replay
//
// Time is that of testing/synctest: it stands still while anything runs and
// then jumps to the next instant at which somebody wakes. The world is the
// only source of events between actors; each message and fault is an event in
// one queue, ordered by instant and number, and after each of them everything
// comes to rest before the next. Random numbers come from streams that belong
// to one actor or one direction of one connection, so that what one of them
// draws does not shift the others. The process runs on one processor.
//
// Every event, record and verdict goes into a hash that is printed: the same
// seed, options and program give the same hash, nearly always. What is left to
// chance is what Go does at random: which of two things that are ready at the
// same instant a select takes, and whether a goroutine that was held up for ten
// real milliseconds, or by a system call of SQLite, keeps its place. Where such
// a choice was found to matter, its draws have streams of their own now. What a
// seed finds, it finds again, if not in the first run then in the next.
package simulate
