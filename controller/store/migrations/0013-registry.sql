-- Registry of the office. Times are microseconds since 1970 UTC; 0 means none.
-- Days are days since 1970-01-01 by the office's calendar.

ALTER TABLE units ADD COLUMN aliases TEXT NOT NULL DEFAULT '[]';        -- JSON array: other names by which files know it
ALTER TABLE units ADD COLUMN hats TEXT NOT NULL DEFAULT '[]';           -- JSON array: other offices that it is at the same time
ALTER TABLE units ADD COLUMN state TEXT NOT NULL DEFAULT 'listed';      -- fleet.UnitState
ALTER TABLE units ADD COLUMN successor_id INTEGER REFERENCES units(id); -- of a merged unit; NULL for none

-- Where units were below before they moved: what was owed then is counted there.
CREATE TABLE unit_parents (
  unit_id   INTEGER NOT NULL REFERENCES units(id),
  to_day    INTEGER NOT NULL,                    -- first day on which it was there no more
  from_day  INTEGER NOT NULL,                    -- first day on which it was there
  parent_id INTEGER REFERENCES units(id),        -- NULL: it was the root
  PRIMARY KEY (unit_id, to_day)
) WITHOUT ROWID;
CREATE INDEX unit_parents_by_parent ON unit_parents (parent_id);

-- Moves, mergers and splits of units, those to come included.
CREATE TABLE unit_changes (
  id         INTEGER PRIMARY KEY,
  kind       TEXT NOT NULL,                      -- fleet.UnitChangeKind
  unit_id    INTEGER NOT NULL REFERENCES units(id),
  target_id  INTEGER NOT NULL REFERENCES units(id),
  what       TEXT NOT NULL DEFAULT '{}',         -- fleet.UnitShare as JSON: what a split takes along
  day        INTEGER NOT NULL,                   -- first day on which it holds
  document   TEXT NOT NULL DEFAULT '',           -- number of the paper that says so
  by         TEXT NOT NULL DEFAULT '',           -- login
  at_us      INTEGER NOT NULL,                   -- written down
  done_us    INTEGER NOT NULL DEFAULT 0,         -- carried out; 0 while it is to come
  cancel_us  INTEGER NOT NULL DEFAULT 0          -- taken back before its day; 0 if not
);
CREATE INDEX unit_changes_by_unit ON unit_changes (unit_id);

ALTER TABLE grids ADD COLUMN households INTEGER NOT NULL DEFAULT 0;     -- 0 if not known
ALTER TABLE grids ADD COLUMN population INTEGER NOT NULL DEFAULT 0;     -- 0 if not known
ALTER TABLE compounds ADD COLUMN households INTEGER NOT NULL DEFAULT 0; -- 0 if not known

-- Property companies. compounds.property and users.company are their names.
CREATE TABLE companies (
  id      INTEGER PRIMARY KEY,
  name    TEXT NOT NULL UNIQUE,
  contact TEXT NOT NULL DEFAULT '',
  phone   TEXT NOT NULL DEFAULT '',              -- sealed by package vault
  note    TEXT NOT NULL DEFAULT ''
);
INSERT INTO companies (name) SELECT DISTINCT property FROM compounds WHERE property <> ''
  UNION SELECT DISTINCT company FROM users WHERE company <> '';

ALTER TABLE points ADD COLUMN place TEXT NOT NULL DEFAULT '';           -- in words
ALTER TABLE points ADD COLUMN approval TEXT NOT NULL DEFAULT '';        -- number of the document that allows it
ALTER TABLE points ADD COLUMN cap_pct INTEGER NOT NULL DEFAULT 0;       -- volume ceiling; 0: that of the office alone
ALTER TABLE points ADD COLUMN noise_class INTEGER NOT NULL DEFAULT 0;   -- GB 3096, 1 or 2; 0 if not known
ALTER TABLE points ADD COLUMN hold INTEGER NOT NULL DEFAULT 0;          -- 0 or 1: owes only once the office says from when
ALTER TABLE points ADD COLUMN start_us INTEGER NOT NULL DEFAULT 0;      -- the office's word from when it owes; 0: when installed
ALTER TABLE points ADD COLUMN installed_us INTEGER NOT NULL DEFAULT 0;  -- a device was first accepted
ALTER TABLE points ADD COLUMN retired_us INTEGER NOT NULL DEFAULT 0;    -- owes nothing from then on
UPDATE points SET installed_us = active_from_us;

CREATE TABLE photos (
  id    INTEGER PRIMARY KEY,
  jpeg  BLOB NOT NULL,                           -- encoded anew here, at most 1280 pixels a side
  at_us INTEGER NOT NULL
);

-- What was measured at the nearest window with a point on and off.
CREATE TABLE calibrations (
  id       INTEGER PRIMARY KEY,
  point_id INTEGER NOT NULL REFERENCES points(id),
  day      INTEGER NOT NULL,                     -- of the measurement
  on_db    REAL NOT NULL,                        -- dB(A) with the point sounding
  off_db   REAL NOT NULL,                        -- dB(A) without
  method   TEXT NOT NULL,                        -- fleet.ByMeter or fleet.ByApp
  class    INTEGER NOT NULL,                     -- GB 3096, 1 or 2
  who      TEXT NOT NULL,                        -- measured
  note     TEXT NOT NULL DEFAULT '',
  photo_id INTEGER REFERENCES photos(id),        -- NULL for none
  by       TEXT NOT NULL DEFAULT '',             -- login
  at_us    INTEGER NOT NULL                      -- written down
);
CREATE INDEX calibrations_by_point ON calibrations (point_id, day);
