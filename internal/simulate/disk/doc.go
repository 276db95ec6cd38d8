// Package disk is a memory card in memory that loses what a real one may lose.
//
// A Disk is a durable.FS. It keeps what programs see (the page cache) apart
// from what was synced (the medium), and when the power is cut it keeps the
// synced part and a part of the rest that its random numbers choose:
//
//   - A write since the last sync of its file survives whole, not at all, or
//     torn: each sector of 512 bytes on its own. A sector is never half
//     written. Writes do not wait for one another, also not for earlier ones.
//   - The size of a file is metadata and changes in order: the first few
//     extensions and truncations since the last sync have happened. A sector
//     inside the size that was not written reads as zeros.
//   - The names of a directory change in order: the first few creations,
//     renames and removals since the last SyncDir have happened. Nothing
//     connects the names with the content of the files, nor one directory with
//     another.
//
// This is a little worse than ext4 with data=ordered, where one journal orders
// all metadata and data reaches the disk before the size that covers it, and
// about what ext4 with data=writeback, XFS and F2FS permit; it is the
// model of "All File Systems Are Not Created Equal" (Pillai et al., OSDI 2014,
// the ALICE tool) with atomic 512-byte sectors and ordered directory
// operations, which that paper found of every file system it looked at but
// ext2. Tearing and dropping
// follow CrashMonkey ("Finding Crash-Consistency Bugs with Bounded Black-Box
// Crash Testing", Mohan et al., OSDI 2018).
//
// A sync can fail. As on Linux ("Can Applications Recover from fsync
// Failures?", Rebello et al., USENIX ATC 2020) the error is told once, what
// was written may be on the medium or not, the cache goes on showing it, and
// the next sync returns nil without writing it, unless the same page of 4096
// bytes is written to again.
//
// Not modelled: a cut that harms sectors next to the ones being written, as
// bad cards do; Rot and Spoil stand for that. Renames from one directory to
// another are refused with EXDEV: the programs under test make none.
//
// The same random numbers and the same calls in the same order give the same
// disk. A Disk is safe for concurrent use; the order is then the caller's.
package disk
