-- What the office passes down the three tiers of groups. Times are
-- microseconds since 1970 UTC; 0 means none.
CREATE TABLE relay_items (
  id           INTEGER PRIMARY KEY,
  text         TEXT NOT NULL,                     -- to be pasted; may be empty
  picture      BLOB,                              -- JPEG made by package picture; NULL for none
  clip_id      INTEGER REFERENCES clips(id),
  source       TEXT NOT NULL DEFAULT '',          -- where it came from
  received_us  INTEGER NOT NULL,
  created_us   INTEGER NOT NULL,
  by           TEXT NOT NULL,                     -- login
  name         TEXT NOT NULL,                     -- of the person
  units        TEXT NOT NULL DEFAULT '[]',        -- JSON array of unit ids; empty means all
  urgent       INTEGER NOT NULL DEFAULT 0,        -- 0 or 1
  insertion_id INTEGER NOT NULL DEFAULT 0,        -- the urgent broadcast that it goes with; 0 for none
  closed_us    INTEGER NOT NULL DEFAULT 0         -- when the office ended it
);

CREATE TABLE relay_tasks (
  id         INTEGER PRIMARY KEY,
  item_id    INTEGER NOT NULL REFERENCES relay_items(id),
  group_id   INTEGER NOT NULL REFERENCES groups(id),
  tier       INTEGER NOT NULL,                    -- of the group
  parent_id  INTEGER REFERENCES relay_tasks(id),  -- the task whose tick made this one
  created_us INTEGER NOT NULL,
  due_us     INTEGER NOT NULL,
  done_us    INTEGER NOT NULL DEFAULT 0,
  by         TEXT NOT NULL DEFAULT '',            -- login of who ticked it
  name       TEXT NOT NULL DEFAULT '',
  shot       BLOB,                                -- screenshot, JPEG made by package picture; NULL for none
  UNIQUE (item_id, group_id)
);
CREATE INDEX relay_tasks_open ON relay_tasks (due_us) WHERE done_us = 0;
CREATE INDEX relay_tasks_of_group ON relay_tasks (group_id);
