-- Sums of the ledger over months and units, and when the controller itself was away.
-- Times are microseconds since 1970 UTC; 0 means none. Days are days since 1970-01-01.
-- Every sum is changed in the transaction that changes the rows below it.

CREATE INDEX rollup_by_unit ON rollup (unit_id, day);

-- What a list of slots asks for most, by day; played and due are nearly all of the rest.
CREATE INDEX obligations_by_verdict ON obligations (verdict, day, unit_id, compound_id) WHERE verdict NOT IN ('played', 'due');

-- rollup again, coarser: a unit's day, a unit's month, a compound's month.
CREATE TABLE sums (
  grain       TEXT NOT NULL,                     -- day or month
  at          INTEGER NOT NULL,                  -- the day, or the first day of the month
  unit_id     INTEGER NOT NULL,
  compound_id INTEGER NOT NULL,                  -- -1 in rows of the whole unit; 0 where the points had none
  name        TEXT NOT NULL,                     -- slot name
  demo        INTEGER NOT NULL,                  -- 0 or 1
  owed        INTEGER NOT NULL,                  -- the sum of the seven below
  played      INTEGER NOT NULL,
  partial     INTEGER NOT NULL,
  missed      INTEGER NOT NULL,
  doubt       INTEGER NOT NULL,
  exempt      INTEGER NOT NULL,
  pending     INTEGER NOT NULL,
  due         INTEGER NOT NULL,
  PRIMARY KEY (grain, at, unit_id, compound_id, name, demo)
) WITHOUT ROWID;

-- Months of single points.
CREATE TABLE point_months (
  point_id    INTEGER NOT NULL,
  at          INTEGER NOT NULL,                  -- the first day of the month
  unit_id     INTEGER NOT NULL,
  compound_id INTEGER NOT NULL,                  -- 0 if none
  name        TEXT NOT NULL,                     -- slot name
  demo        INTEGER NOT NULL,                  -- 0 or 1
  owed        INTEGER NOT NULL,                  -- the sum of the seven below
  played      INTEGER NOT NULL,
  partial     INTEGER NOT NULL,
  missed      INTEGER NOT NULL,
  doubt       INTEGER NOT NULL,
  exempt      INTEGER NOT NULL,
  pending     INTEGER NOT NULL,
  due         INTEGER NOT NULL,
  PRIMARY KEY (point_id, at, unit_id, compound_id, name, demo)
) WITHOUT ROWID;

-- How slots of a unit were settled, by reason and grade of the evidence.
CREATE TABLE reasons (
  grain   TEXT NOT NULL,                         -- day or month
  at      INTEGER NOT NULL,                      -- the day, or the first day of the month
  unit_id INTEGER NOT NULL,
  name    TEXT NOT NULL,                         -- slot name
  demo    INTEGER NOT NULL,                      -- 0 or 1
  verdict TEXT NOT NULL,                         -- fleet.Verdict
  reason  TEXT NOT NULL,                         -- wire.Reason, empty if none
  grade   TEXT NOT NULL,                         -- fleet.Grade, empty if none
  n       INTEGER NOT NULL,                      -- slots
  PRIMARY KEY (grain, at, unit_id, name, demo, verdict, reason, grade)
) WITHOUT ROWID;

INSERT INTO sums SELECT 'day', day, unit_id, -1, name, demo, sum(owed), sum(played), sum(partial), sum(missed), sum(doubt), sum(exempt), sum(pending), sum(due)
  FROM rollup GROUP BY day, unit_id, name, demo;
INSERT INTO sums SELECT 'month', unixepoch(day * 86400, 'unixepoch', 'start of month') / 86400, unit_id, compound_id, name, demo,
  sum(owed), sum(played), sum(partial), sum(missed), sum(doubt), sum(exempt), sum(pending), sum(due)
  FROM rollup GROUP BY 2, unit_id, compound_id, name, demo;
INSERT INTO sums SELECT 'month', at, unit_id, -1, name, demo, sum(owed), sum(played), sum(partial), sum(missed), sum(doubt), sum(exempt), sum(pending), sum(due)
  FROM sums WHERE grain = 'month' GROUP BY at, unit_id, name, demo;
INSERT INTO point_months SELECT point_id, unixepoch(day * 86400, 'unixepoch', 'start of month') / 86400, unit_id, compound_id, name, demo, count(*),
  sum(verdict = 'played'), sum(verdict = 'partial'), sum(verdict = 'missed'), sum(verdict = 'doubt'), sum(verdict = 'exempt'), sum(verdict = 'pending'), sum(verdict = 'due')
  FROM obligations GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO reasons SELECT 'day', day, unit_id, name, demo, verdict, reason, grade, count(*) FROM obligations GROUP BY 2, 3, 4, 5, 6, 7, 8;
INSERT INTO reasons SELECT 'month', unixepoch(at * 86400, 'unixepoch', 'start of month') / 86400, unit_id, name, demo, verdict, reason, grade, sum(n)
  FROM reasons WHERE grain = 'day' GROUP BY 2, 3, 4, 5, 6, 7, 8;

-- The controller was alive at this time; changed in place.
CREATE TABLE heartbeat (
  id      INTEGER PRIMARY KEY CHECK (id = 1),
  beat_us INTEGER NOT NULL
);

-- When the controller, or what it reaches the gates through, was away.
CREATE TABLE outages (
  id      INTEGER PRIMARY KEY,
  kind    TEXT NOT NULL,                         -- fleet.OutageKind
  from_us INTEGER NOT NULL,
  to_us   INTEGER NOT NULL DEFAULT 0             -- 0 while it lasts
);
CREATE INDEX outages_by_end ON outages (to_us);
CREATE UNIQUE INDEX outages_open ON outages (kind) WHERE to_us = 0;
