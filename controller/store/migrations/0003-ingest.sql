-- Times are microseconds since 1970 UTC; 0 means none. Days are days since 1970-01-01.

-- Records that were received and could not be taken; their numbers count as received.
CREATE TABLE dead_letters_2 (
  id          INTEGER PRIMARY KEY,
  device_id   INTEGER NOT NULL REFERENCES devices(id),
  log_id      INTEGER REFERENCES logs(id),       -- NULL where no journal was opened for it
  log         TEXT NOT NULL DEFAULT '',          -- wire.LogID as it was sent
  seq         INTEGER NOT NULL,                  -- 0 if it did not say
  sha256      TEXT NOT NULL,                     -- hex, of the whole record
  code        TEXT NOT NULL,                     -- fleet.DeadCode
  reason      TEXT NOT NULL,                     -- operator's text
  received_us INTEGER NOT NULL,
  bytes       INTEGER NOT NULL,                  -- of the whole record
  raw         BLOB NOT NULL                      -- its beginning, at most 4 KiB
);
INSERT INTO dead_letters_2 (id, device_id, log_id, log, seq, sha256, code, reason, received_us, bytes, raw)
  SELECT x.id, l.device_id, l.id, l.log, x.seq, x.sha256, 'other', x.reason, x.received_us, length(x.raw), substr(x.raw, 1, 4096)
  FROM dead_letters x JOIN logs l ON l.id = x.log_id;
DROP TABLE dead_letters;
ALTER TABLE dead_letters_2 RENAME TO dead_letters;
CREATE UNIQUE INDEX dead_letters_once ON dead_letters (device_id, log, seq, sha256);
CREATE INDEX dead_letters_by_log ON dead_letters (log_id, seq);

-- What the bounds of dead letters and of journals kept out.
CREATE TABLE dead_counts (
  device_id INTEGER PRIMARY KEY REFERENCES devices(id),
  kept      INTEGER NOT NULL DEFAULT 0,          -- rows in dead_letters
  dropped   INTEGER NOT NULL DEFAULT 0,          -- more than are kept
  refused   INTEGER NOT NULL DEFAULT 0,          -- batches of journals beyond the limit, not acked
  last_us   INTEGER NOT NULL
);
INSERT INTO dead_counts (device_id, kept, last_us) SELECT device_id, count(*), max(received_us) FROM dead_letters GROUP BY device_id;

-- Numbers of a journal that are accounted for though no record of them is
-- here: lost by the device's own word, or of dead letters that were dropped.
-- Rows that lie wholly below logs.upto may go.
CREATE TABLE voids (
  log_id INTEGER NOT NULL REFERENCES logs(id),
  first  INTEGER NOT NULL,                       -- first number
  last   INTEGER NOT NULL,                       -- last number
  PRIMARY KEY (log_id, first)
) WITHOUT ROWID;

-- Numbers that a device says nobody has any more.
CREATE TABLE gaps (
  id          INTEGER PRIMARY KEY,
  device_id   INTEGER NOT NULL REFERENCES devices(id),
  log_id      INTEGER NOT NULL REFERENCES logs(id), -- whose numbers they are
  first       INTEGER NOT NULL,                  -- first number
  last        INTEGER NOT NULL,                  -- last number
  why         TEXT NOT NULL,                     -- wire.Gap.Why
  at_us       INTEGER NOT NULL,                  -- the device's time of saying so
  received_us INTEGER NOT NULL,                  -- the controller's time
  UNIQUE (log_id, first, last, why)
);
CREATE INDEX gaps_by_device ON gaps (device_id);

-- Restores of this database from a backup.
CREATE TABLE restores (
  id        INTEGER PRIMARY KEY,
  at_us     INTEGER NOT NULL,                    -- when it was put in place
  backup_us INTEGER NOT NULL,                    -- when the backup was made
  file      TEXT NOT NULL DEFAULT '',            -- name of the backup; empty if the database was put back by hand
  by        TEXT NOT NULL DEFAULT ''             -- login or account of the machine
);

-- The plans that devices got between a backup and its restore are not known:
-- versions above had_version and below next_version.
CREATE TABLE restored_devices (
  restore_id   INTEGER NOT NULL REFERENCES restores(id),
  device_id    INTEGER NOT NULL REFERENCES devices(id),
  had_version  INTEGER NOT NULL,                 -- plan it should have had by the backup
  next_version INTEGER NOT NULL DEFAULT 0,       -- first plan made for it since; 0 while there is none
  PRIMARY KEY (restore_id, device_id)
) WITHOUT ROWID;

ALTER TABLE devices ADD COLUMN awaiting TEXT NOT NULL DEFAULT ''; -- fleet.Awaiting

-- Periods whose numbers were signed and sealed. Nothing here is ever changed or removed.
CREATE TABLE publications (
  id       INTEGER PRIMARY KEY,
  year     INTEGER NOT NULL,                     -- local year of signing
  number   INTEGER NOT NULL,                     -- within the year, from 1
  from_day INTEGER NOT NULL,                     -- first day
  to_day   INTEGER NOT NULL,                     -- last day
  at_us    INTEGER NOT NULL,
  by       TEXT NOT NULL,                        -- login
  name     TEXT NOT NULL DEFAULT '',             -- of who signed, as it was then
  UNIQUE (year, number),
  UNIQUE (from_day, to_day)
);

-- The daily sums of a publication as they were when it was signed.
CREATE TABLE publication_sums (
  publication_id INTEGER NOT NULL REFERENCES publications(id),
  day            INTEGER NOT NULL,
  unit_id        INTEGER NOT NULL,
  unit           TEXT NOT NULL,                  -- its name as it was then
  name           TEXT NOT NULL,                  -- slot name
  demo           INTEGER NOT NULL,               -- 0 or 1
  owed           INTEGER NOT NULL,               -- the sum of the seven below
  played         INTEGER NOT NULL,
  partial        INTEGER NOT NULL,
  missed         INTEGER NOT NULL,
  doubt          INTEGER NOT NULL,
  exempt         INTEGER NOT NULL,
  pending        INTEGER NOT NULL,
  due            INTEGER NOT NULL,
  PRIMARY KEY (publication_id, day, unit_id, name, demo)
) WITHOUT ROWID;

-- Numbered corrections of publications.
CREATE TABLE amendments (
  id             INTEGER PRIMARY KEY,
  publication_id INTEGER NOT NULL REFERENCES publications(id),
  year           INTEGER NOT NULL,               -- local year of signing
  number         INTEGER NOT NULL,               -- within the year, from 1
  at_us          INTEGER NOT NULL,
  by             TEXT NOT NULL,                  -- login
  name           TEXT NOT NULL DEFAULT '',       -- of who signed, as it was then
  UNIQUE (year, number)
);
CREATE INDEX amendments_by_publication ON amendments (publication_id);

-- What changed in the ledger of a published period after its signing.
CREATE TABLE publication_changes (
  id             INTEGER PRIMARY KEY,
  publication_id INTEGER NOT NULL REFERENCES publications(id),
  amendment_id   INTEGER REFERENCES amendments(id), -- NULL until one is signed
  at_us          INTEGER NOT NULL,
  point_id       INTEGER NOT NULL REFERENCES points(id),
  unit_id        INTEGER NOT NULL,               -- of the obligation
  slot           TEXT NOT NULL,                  -- wire.SlotID
  name           TEXT NOT NULL,                  -- slot name
  cause          TEXT NOT NULL,                  -- fleet.ChangeCause
  was            TEXT NOT NULL,                  -- fleet.Settlement as JSON
  now            TEXT NOT NULL                   -- likewise
);
CREATE INDEX publication_changes_by_publication ON publication_changes (publication_id, amendment_id);

CREATE TRIGGER publications_stay BEFORE DELETE ON publications BEGIN SELECT RAISE(ABORT, 'a publication is never removed'); END;
CREATE TRIGGER publications_frozen BEFORE UPDATE ON publications BEGIN SELECT RAISE(ABORT, 'a publication is never changed'); END;
CREATE TRIGGER publication_sums_stay BEFORE DELETE ON publication_sums BEGIN SELECT RAISE(ABORT, 'published sums are never removed'); END;
CREATE TRIGGER publication_sums_frozen BEFORE UPDATE ON publication_sums BEGIN SELECT RAISE(ABORT, 'published sums are never changed'); END;
CREATE TRIGGER amendments_stay BEFORE DELETE ON amendments BEGIN SELECT RAISE(ABORT, 'an amendment is never removed'); END;
CREATE TRIGGER amendments_frozen BEFORE UPDATE ON amendments BEGIN SELECT RAISE(ABORT, 'an amendment is never changed'); END;
CREATE TRIGGER publication_changes_stay BEFORE DELETE ON publication_changes BEGIN SELECT RAISE(ABORT, 'a change of a publication is never removed'); END;
CREATE TRIGGER publication_changes_frozen BEFORE UPDATE ON publication_changes
  WHEN OLD.amendment_id IS NOT NULL OR NEW.amendment_id IS NULL OR NEW.was != OLD.was OR NEW.now != OLD.now OR NEW.slot != OLD.slot OR NEW.point_id != OLD.point_id OR NEW.publication_id != OLD.publication_id
  BEGIN SELECT RAISE(ABORT, 'a change of a publication is only taken into an amendment'); END;

-- What earlier versions stored and did not read: journals that gaps name, the
-- gaps, and their numbers. A failed sync ends its journal; its number is never asked for.
INSERT OR IGNORE INTO logs (device_id, log)
  SELECT DISTINCT l.device_id, json_extract(CAST(r.raw AS TEXT), '$.body.log') FROM records r JOIN logs l ON l.id = r.log_id
  WHERE r.kind = 'gap' AND json_valid(CAST(r.raw AS TEXT)) AND typeof(json_extract(CAST(r.raw AS TEXT), '$.body.log')) = 'text';
INSERT OR IGNORE INTO gaps (device_id, log_id, first, last, why, at_us, received_us)
  SELECT l.device_id, t.id, json_extract(CAST(r.raw AS TEXT), '$.body.first'), json_extract(CAST(r.raw AS TEXT), '$.body.last'),
    coalesce(json_extract(CAST(r.raw AS TEXT), '$.body.why'), ''), r.at_us, r.received_us
  FROM records r JOIN logs l ON l.id = r.log_id JOIN logs t ON t.device_id = l.device_id AND t.log = json_extract(CAST(r.raw AS TEXT), '$.body.log')
  WHERE r.kind = 'gap' AND json_valid(CAST(r.raw AS TEXT)) AND json_extract(CAST(r.raw AS TEXT), '$.body.first') BETWEEN 1 AND json_extract(CAST(r.raw AS TEXT), '$.body.last');
INSERT OR IGNORE INTO voids (log_id, first, last) SELECT log_id, first, max(last) FROM gaps WHERE why != 'sync' GROUP BY log_id, first;
