-- Times are microseconds since 1970 UTC, 0 where it has not happened.

-- Clips that sound in the place of others for a time (更换).
CREATE TABLE replacements (
  id          INTEGER PRIMARY KEY,
  at_us       INTEGER NOT NULL,                  -- when it was ordered
  by          TEXT NOT NULL,                     -- login
  name        TEXT NOT NULL,                     -- and the name then
  reason      TEXT NOT NULL,                     -- in the person's words
  old         TEXT NOT NULL,                     -- hex SHA-256 of the clip that is replaced
  old_name    TEXT NOT NULL,                     -- its name then
  new         TEXT NOT NULL,                     -- hex SHA-256 of the clip that sounds instead
  new_name    TEXT NOT NULL,                     -- its name then
  slots       TEXT NOT NULL,                     -- JSON list of "<programme>.<slot key>"; [] for every slot
  from_day    TEXT NOT NULL,                     -- first day, 2006-01-02 of the office
  to_day      TEXT NOT NULL DEFAULT '',          -- last day; empty: until it is undone
  lead_us     INTEGER NOT NULL,                  -- microseconds before its start from which on a slot does not change
  undone_us   INTEGER NOT NULL DEFAULT 0,        -- slots that start so much later or more have the old clip again
  undone_by   TEXT NOT NULL DEFAULT '',          -- login
  undo_reason TEXT NOT NULL DEFAULT ''           -- in the person's words
);

-- Where a replacement was expected when it was ordered: its first slot there.
CREATE TABLE replacement_points (
  replacement_id INTEGER NOT NULL REFERENCES replacements(id),
  point_id       INTEGER NOT NULL REFERENCES points(id),
  slot           TEXT NOT NULL,                  -- wire.SlotID
  slot_name      TEXT NOT NULL,                  -- as people read it
  start_us       INTEGER NOT NULL,               -- of that slot
  plays          INTEGER NOT NULL,               -- of that slot
  device         TEXT NOT NULL DEFAULT '',       -- wire.DeviceID that was bound then; empty for none
  version        INTEGER NOT NULL DEFAULT 0,     -- the newest plan of that device then: every later one has the replacement
  PRIMARY KEY (replacement_id, point_id)
) WITHOUT ROWID;
CREATE INDEX replacement_points_by_point ON replacement_points (point_id);

-- What residents complained about. Who complained is not kept.
CREATE TABLE complaints (
  id         INTEGER PRIMARY KEY,
  point_id   INTEGER NOT NULL REFERENCES points(id),
  at_us      INTEGER NOT NULL,                   -- when it came in, or was about
  channel    TEXT NOT NULL,                      -- fleet.Channel
  reference  TEXT NOT NULL DEFAULT '',           -- number of the work order of the hotline
  text       TEXT NOT NULL,                      -- what was said, without names and numbers of people
  measure    TEXT NOT NULL,                      -- fleet.Measure that was taken
  mute_id    INTEGER NOT NULL DEFAULT 0,         -- mutes(id) of measure stop; 0 for none
  by         TEXT NOT NULL,                      -- login of who kept it
  created_us INTEGER NOT NULL,
  reply      TEXT NOT NULL DEFAULT '',           -- what was answered; empty while it is open
  replied_us INTEGER NOT NULL DEFAULT 0,
  replied_by TEXT NOT NULL DEFAULT ''            -- login
);
CREATE INDEX complaints_by_point ON complaints (point_id, at_us);
CREATE INDEX complaints_by_time ON complaints (at_us);

-- By how much points are turned down (调低).
CREATE TABLE levels (
  id           INTEGER PRIMARY KEY,
  point_id     INTEGER NOT NULL REFERENCES points(id),
  complaint_id INTEGER NOT NULL REFERENCES complaints(id),
  at_us        INTEGER NOT NULL,                 -- when it was ordered
  gain_db      REAL NOT NULL,                    -- decibels, below 0
  until_us     INTEGER NOT NULL DEFAULT 0,       -- slots that start later sound as before; 0: until it is restored
  by           TEXT NOT NULL,                    -- login
  ended_us     INTEGER NOT NULL DEFAULT 0,       -- when it was restored by hand
  ended_by     TEXT NOT NULL DEFAULT '',         -- login
  end_reason   TEXT NOT NULL DEFAULT ''          -- in the person's words
);
CREATE INDEX levels_by_point ON levels (point_id, at_us);
