-- Times are microseconds since 1970 UTC.

-- 安全事件: what was tried and refused. Like attempts that became known in one
-- hour are one row with a count, until a person ticks it off.
CREATE TABLE incidents (
  id       INTEGER PRIMARY KEY,
  kind     TEXT NOT NULL,                        -- fleet.IncidentKind
  point_id INTEGER NOT NULL,                     -- 0 where no point is known
  device   TEXT NOT NULL,                        -- the device's name, '' where none is known
  address  TEXT NOT NULL,                        -- network address, '' for what a device reported
  detail   TEXT NOT NULL,                        -- operator's text of the last attempt
  hour_us  INTEGER NOT NULL,                     -- beginning of the hour in which it became known; of the day for a revoked device
  first_us INTEGER NOT NULL,
  last_us  INTEGER NOT NULL,
  count    INTEGER NOT NULL,                     -- attempts
  seen_us  INTEGER NOT NULL DEFAULT 0,           -- when a person ticked it off; 0 while open
  seen_by  TEXT NOT NULL DEFAULT '',             -- who did
  note     TEXT NOT NULL DEFAULT ''              -- what that person wrote
);
CREATE UNIQUE INDEX incidents_once ON incidents (kind, point_id, device, address, hour_us) WHERE seen_us = 0;
CREATE INDEX incidents_by_point ON incidents (point_id, last_us);
CREATE INDEX incidents_by_last ON incidents (last_us);
