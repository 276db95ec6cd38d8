-- Times are microseconds since 1970 UTC.

-- Places where journals do not hold together. The records are kept like any other.
CREATE TABLE breaks (
  id       INTEGER PRIMARY KEY,
  log_id   INTEGER NOT NULL REFERENCES logs(id),
  seq      INTEGER NOT NULL,                     -- of the record at which it shows
  code     TEXT NOT NULL,                        -- evidence.Code
  detail   TEXT NOT NULL DEFAULT '',             -- operator's text
  found_us INTEGER NOT NULL,                     -- the controller's time
  UNIQUE (log_id, seq, code)
);

-- The controller's daily counter-signatures, numbered by device without gaps.
CREATE TABLE receipts (
  device_id INTEGER NOT NULL REFERENCES devices(id),
  number    INTEGER NOT NULL,                    -- from 1
  log_id    INTEGER NOT NULL REFERENCES logs(id),
  upto      INTEGER NOT NULL,                    -- last record that it covers
  count     INTEGER NOT NULL,                    -- records held up to there
  day       TEXT NOT NULL,                       -- the office's date that it closes, 2006-01-02
  issued_us INTEGER NOT NULL,
  sha256    TEXT NOT NULL,                       -- hex, of envelope
  envelope  BLOB NOT NULL,                       -- as signed
  PRIMARY KEY (device_id, number)
) WITHOUT ROWID;
CREATE INDEX receipts_by_log ON receipts (log_id, upto);
