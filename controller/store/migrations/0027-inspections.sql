-- Inspections of points by people.

-- Photos of inspections, without anything but what is seen.
CREATE TABLE inspection_photos (
  id    INTEGER PRIMARY KEY,
  jpeg  BLOB NOT NULL,                             -- as it is shown
  at_us INTEGER NOT NULL
);

-- What somebody found on the spot. Rows are never changed but for a withdrawal.
CREATE TABLE inspections (
  id           INTEGER PRIMARY KEY,
  key          TEXT NOT NULL UNIQUE,             -- of the form: sent twice, it is kept once
  at_us        INTEGER NOT NULL,                 -- of the look, or the end of the listening
  listened_ms  INTEGER NOT NULL DEFAULT 0,       -- how long somebody listened until at_us
  point_id     INTEGER NOT NULL REFERENCES points(id),
  slot         TEXT NOT NULL DEFAULT '',         -- wire.SlotID that at_us lies in; empty for none
  unit_id      INTEGER NOT NULL,                 -- of the point then
  compound_id  INTEGER NOT NULL DEFAULT 0,       -- likewise; 0 if none
  finding      TEXT NOT NULL,                    -- fleet.Finding
  note         TEXT NOT NULL DEFAULT '',
  photo_id     INTEGER REFERENCES inspection_photos(id),
  by           TEXT NOT NULL,                    -- login
  name         TEXT NOT NULL,                    -- of that person then
  created_us   INTEGER NOT NULL,
  withdrawn_us INTEGER NOT NULL DEFAULT 0,       -- 0 while it stands
  withdrawn_by TEXT NOT NULL DEFAULT '',         -- login
  withdrawn_as TEXT NOT NULL DEFAULT ''          -- why, in the person's words
);
CREATE INDEX inspections_by_time ON inspections (at_us);
CREATE INDEX inspections_by_point ON inspections (point_id, at_us);
CREATE INDEX inspections_by_unit ON inspections (unit_id, at_us);

-- What people heard in owed slots, as the ledger takes it in: append-only, a
-- withdrawal is a row of its own.
CREATE TABLE observations (
  id            INTEGER PRIMARY KEY AUTOINCREMENT, -- order of commit, never reused
  inspection_id INTEGER NOT NULL REFERENCES inspections(id),
  point_id      INTEGER NOT NULL REFERENCES points(id),
  slot          TEXT NOT NULL,                   -- wire.SlotID
  kind          TEXT NOT NULL,                   -- heard, unheard or withdrawn
  from_us       INTEGER NOT NULL,                -- of the listening
  to_us         INTEGER NOT NULL,
  by            TEXT NOT NULL                    -- login
);
CREATE INDEX observations_by_slot ON observations (point_id, slot);
