// Package media takes uploads: it streams a file to disk, tells what it is by
// its content, refuses it with a reason and a way out, or makes the delivery
// form that devices play.
//
// The delivery form is mono FLAC, 24 kHz and 16 bits, at the upload's own level:
// loudness and true peak are measured on exactly these samples, and the gain
// that brings them to the target is returned, to be signed with the clip and
// applied by the device under its limiter. A clip is named by the SHA-256 of its
// delivery bytes. The same upload always gives the same bytes, so that sending
// it twice changes nothing. The upload itself is kept untouched under its own
// hash.
//
// Files that package decode does not read go through ffmpeg, where the server has
// it: one run at a time, the reader named by what the file is, its time, memory
// and output bounded, its result held in memory only.
//
// On disk, below the store's folder:
//
//	clips/<sha256>.flac    delivery forms
//	originals/<sha256>     uploads as they came
//	incoming/              uploads under way; emptied at start
//
// Files appear whole or not at all and survive loss of power once Ingest has
// returned. A Store is safe for concurrent use.
package media
