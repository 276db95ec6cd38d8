-- Times are microseconds since 1970 UTC, 0 where it has not happened. Days are days since 1970-01-01.

-- 漏播预警: what is wrong at a point, from its first slot to the one that played again.
CREATE TABLE alerts (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  point_id    INTEGER NOT NULL REFERENCES points(id),
  unit_id     INTEGER NOT NULL,                  -- of the point when the alert was raised
  compound_id INTEGER NOT NULL,                  -- likewise; 0 if none
  trouble     TEXT NOT NULL,                     -- fleet.Trouble
  likely      TEXT NOT NULL,                     -- fleet.Likely
  condition   TEXT NOT NULL DEFAULT '',          -- code of the condition that the device reported, '' for none
  heard_us    INTEGER NOT NULL DEFAULT 0,        -- when the device was heard last, as of the alert's latest slot
  near_in     TEXT NOT NULL DEFAULT '',          -- fleet.Nearness of the neighbours that were counted
  near        INTEGER NOT NULL DEFAULT 0,        -- neighbours with a device
  near_gone   INTEGER NOT NULL DEFAULT 0,        -- of them out of touch
  raised_us   INTEGER NOT NULL,                  -- when it was raised
  closed_us   INTEGER NOT NULL DEFAULT 0,        -- when it closed by itself; 0 while open
  closed_slot TEXT NOT NULL DEFAULT '',          -- wire.SlotID of the later slot that played; '' where its own slots turned out to have played
  called_us   INTEGER NOT NULL DEFAULT 0,        -- since when the property is to be telephoned
  acked_us    INTEGER NOT NULL DEFAULT 0,        -- when a person took note of it first
  acked_by    TEXT NOT NULL DEFAULT '',          -- login
  acked_name  TEXT NOT NULL DEFAULT '',          -- and the name then
  first_us    INTEGER NOT NULL,                  -- start of its first slot
  last_us     INTEGER NOT NULL,                  -- start of its last slot
  slots       INTEGER NOT NULL,                  -- slots in it
  bad         INTEGER NOT NULL,                  -- of them not made good since
  run         INTEGER NOT NULL DEFAULT 0         -- doubtful slots in a row, the last of them its last
);
CREATE UNIQUE INDEX alerts_one_open ON alerts (point_id, trouble) WHERE closed_us = 0;
CREATE INDEX alerts_by_point ON alerts (point_id, id);
CREATE INDEX alerts_by_raised ON alerts (raised_us);

-- The slots of alerts; each slot is in one.
CREATE TABLE alert_slots (
  point_id INTEGER NOT NULL,                     -- of the slot
  day      INTEGER NOT NULL,                     -- of the slot
  slot_id  INTEGER NOT NULL REFERENCES slots(id),
  alert_id INTEGER NOT NULL REFERENCES alerts(id),
  added_us INTEGER NOT NULL,                     -- when the alert grew by it
  PRIMARY KEY (point_id, day, slot_id)
) WITHOUT ROWID;
CREATE INDEX alert_slots_by_alert ON alert_slots (alert_id);

-- What happened to an alert.
CREATE TABLE alert_lines (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  alert_id INTEGER NOT NULL REFERENCES alerts(id),
  at_us    INTEGER NOT NULL,                     -- when
  kind     TEXT NOT NULL,                        -- fleet.AlertLineKind
  slots    INTEGER NOT NULL DEFAULT 0,           -- slots of the alert since
  likely   TEXT NOT NULL DEFAULT '',             -- fleet.Likely since
  slot     TEXT NOT NULL DEFAULT '',             -- wire.SlotID that it is about, '' for none
  name     TEXT NOT NULL DEFAULT '',             -- of the person; '' for the controller itself
  note     TEXT NOT NULL DEFAULT ''              -- in the person's words
);
CREATE INDEX alert_lines_by_alert ON alert_lines (alert_id, id);

-- Verdicts that alerts have not looked at; written with the verdict.
CREATE TABLE alert_news (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,    -- a later verdict of the same slot has a higher one
  point_id INTEGER NOT NULL,                     -- of the slot
  day      INTEGER NOT NULL,                     -- of the slot
  slot_id  INTEGER NOT NULL REFERENCES slots(id),
  end_us   INTEGER NOT NULL,                     -- end of the slot
  good     INTEGER NOT NULL,                     -- 0 or 1: played or exempt
  hold_us  INTEGER NOT NULL DEFAULT 0,           -- not looked at before
  UNIQUE (point_id, day, slot_id)
);
