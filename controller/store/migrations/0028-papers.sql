-- Papers of the office: tables that were handed out, and backups. Times are microseconds since 1970 UTC; 0 means none.

-- Files that were handed out, each with the controller's signature.
CREATE TABLE slips (
  id      INTEGER PRIMARY KEY,
  code    TEXT NOT NULL UNIQUE,  -- as it stands in the file's first line
  made_us INTEGER NOT NULL,
  by      TEXT NOT NULL,         -- login
  title   TEXT NOT NULL,         -- what it is, in words
  file    TEXT NOT NULL,         -- its name
  size    INTEGER NOT NULL,      -- bytes
  sha256  TEXT NOT NULL,         -- hex
  slip    BLOB NOT NULL          -- the file that lies beside it, see package evidence
);

-- Backups that the controller made by itself, or tried to.
CREATE TABLE backups (
  id        INTEGER PRIMARY KEY,
  begun_us  INTEGER NOT NULL,
  ended_us  INTEGER NOT NULL,
  file      TEXT NOT NULL,            -- path
  copy      TEXT NOT NULL DEFAULT '', -- path of the second one; empty where none is wanted
  size      INTEGER NOT NULL,         -- bytes of the file
  sha256    TEXT NOT NULL,            -- hex, of the file
  problem   TEXT NOT NULL DEFAULT '', -- why it cannot be relied upon, for operators; empty: it was opened and is whole
  part      TEXT NOT NULL DEFAULT ''  -- which step went wrong: write, check, copy; empty for none
);
