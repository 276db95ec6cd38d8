-- Times are microseconds since 1970 UTC, 0 where it has not happened.

-- Orders of silence (全部静音) and how they ended.
CREATE TABLE mutes (
  id           INTEGER PRIMARY KEY,
  number       INTEGER NOT NULL UNIQUE,          -- of the order, as devices know it
  at_us        INTEGER NOT NULL,                 -- when it was given
  by           TEXT NOT NULL,                    -- login of who gave it
  name         TEXT NOT NULL,                    -- and the name then
  reason       TEXT NOT NULL,                    -- in the person's words
  scope        TEXT NOT NULL,                    -- JSON of fleet.Area
  until_us     INTEGER NOT NULL DEFAULT 0,       -- ends by itself; 0: until it is lifted
  approved_us  INTEGER NOT NULL DEFAULT 0,       -- slots silenced by it are exempt if it was
  approved_by  TEXT NOT NULL DEFAULT '',         -- login
  lifted_us    INTEGER NOT NULL DEFAULT 0,       -- when gates were let sound again
  lift_number  INTEGER NOT NULL DEFAULT 0,       -- of the word that ended it, as devices know it; 0 while it holds
  lifted_by    TEXT NOT NULL DEFAULT '',         -- login
  lift_reason  TEXT NOT NULL DEFAULT ''          -- in the person's words
);

-- Urgent one-off broadcasts (紧急插播).
CREATE TABLE insertions (
  id       INTEGER PRIMARY KEY,
  at_us    INTEGER NOT NULL,                     -- when it was submitted
  until_us INTEGER NOT NULL,                     -- no play starts later
  state    TEXT NOT NULL,                        -- fleet.InsertionState
  body     TEXT NOT NULL                         -- JSON of fleet.Insertion, without its id
);
