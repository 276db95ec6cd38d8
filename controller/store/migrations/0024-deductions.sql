-- Deductions and appeals. Times are microseconds since 1970 UTC, 0 where it has
-- not happened. Days are days since 1970-01-01.

-- Versions of the rules that the office typed.
CREATE TABLE deduction_rules (
  id       INTEGER PRIMARY KEY,
  code     TEXT NOT NULL,                         -- the same in every version
  version  INTEGER NOT NULL,                      -- from 1
  text     TEXT NOT NULL,                         -- what the rule says
  points   INTEGER NOT NULL,                      -- hundredths of a point
  from_day INTEGER NOT NULL,                      -- first day that it is for
  to_day   INTEGER,                               -- last day; NULL: until it is changed
  verdicts TEXT NOT NULL,                         -- JSON array of fleet.Verdict; empty: not about slots
  ended    INTEGER NOT NULL DEFAULT 0,            -- 0 or 1: the rule holds no more
  at_us    INTEGER NOT NULL,                      -- when it was typed
  by       TEXT NOT NULL,                         -- login
  UNIQUE (code, version)
);

CREATE TABLE deductions (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  unit_id     INTEGER NOT NULL,                   -- that the points are taken from
  unit_name   TEXT NOT NULL,                      -- as it was then
  rule_id     INTEGER NOT NULL REFERENCES deduction_rules(id), -- version of the rule
  day         INTEGER NOT NULL,                   -- that it belongs to
  points      INTEGER NOT NULL,                   -- hundredths of a point
  ground      TEXT NOT NULL,                      -- in words; may be empty where there are proofs
  proofs      TEXT NOT NULL,                      -- JSON array of fleet.Proof, as known when it was made
  at_us       INTEGER NOT NULL,                   -- when it was made
  by          TEXT NOT NULL,                      -- login of who made it
  by_name     TEXT NOT NULL,                      -- and the name then
  state       TEXT NOT NULL,                      -- fleet.DeductionState
  year        INTEGER NOT NULL DEFAULT 0,         -- of the notice, local; 0 while it is a draft
  number      INTEGER NOT NULL DEFAULT 0,         -- of the notice within the year, from 1
  notified_us INTEGER NOT NULL DEFAULT 0,         -- when the notice was given
  deadline_us INTEGER NOT NULL DEFAULT 0,         -- until when the unit may appeal
  decided_us  INTEGER NOT NULL DEFAULT 0,         -- when it was last decided about
  decided_by  TEXT NOT NULL DEFAULT '',           -- name of who did
  reason      TEXT NOT NULL DEFAULT ''            -- of that decision
);
CREATE INDEX deductions_by_day ON deductions (day);
CREATE UNIQUE INDEX deductions_numbered ON deductions (year, number) WHERE number > 0;

-- Slots that deductions rest on: each once under the versions of one rule.
CREATE TABLE deduction_slots (
  deduction_id INTEGER NOT NULL REFERENCES deductions(id),
  code         TEXT NOT NULL,                     -- of the rule
  point_id     INTEGER NOT NULL,                  -- of the slot
  slot         TEXT NOT NULL,                     -- wire.SlotID
  live         INTEGER NOT NULL DEFAULT 1,        -- 0 where a draft was dropped before anybody was told
  PRIMARY KEY (deduction_id, point_id, slot)
) WITHOUT ROWID;
CREATE UNIQUE INDEX deduction_slots_once ON deduction_slots (code, point_id, slot) WHERE live = 1;

CREATE TABLE deduction_steps (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  deduction_id INTEGER NOT NULL REFERENCES deductions(id),
  at_us        INTEGER NOT NULL,                  -- when
  by           TEXT NOT NULL,                     -- login
  name         TEXT NOT NULL,                     -- and the name then
  from_state   TEXT NOT NULL,                     -- fleet.DeductionState; '' for the first
  to_state     TEXT NOT NULL,                     -- likewise
  reason       TEXT NOT NULL                      -- in the person's words
);
CREATE INDEX deduction_steps_of ON deduction_steps (deduction_id, id);
CREATE INDEX deduction_steps_at ON deduction_steps (at_us);

CREATE TABLE deduction_appeals (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  deduction_id INTEGER NOT NULL REFERENCES deductions(id),
  at_us        INTEGER NOT NULL,                  -- when
  by           TEXT NOT NULL,                     -- login
  name         TEXT NOT NULL,                     -- and the name then
  text         TEXT NOT NULL,                     -- what the unit says
  photo        BLOB                               -- JPEG without metadata; NULL for none
);
CREATE INDEX deduction_appeals_of ON deduction_appeals (deduction_id, id);

CREATE TRIGGER deduction_rules_stay BEFORE DELETE ON deduction_rules BEGIN SELECT RAISE(ABORT, 'a rule is never removed'); END;
CREATE TRIGGER deduction_rules_frozen BEFORE UPDATE ON deduction_rules BEGIN SELECT RAISE(ABORT, 'a version of a rule is never changed'); END;
CREATE TRIGGER deductions_stay BEFORE DELETE ON deductions BEGIN SELECT RAISE(ABORT, 'a deduction is never removed'); END;
CREATE TRIGGER deductions_frozen BEFORE UPDATE ON deductions
  WHEN NEW.unit_id != OLD.unit_id OR NEW.unit_name != OLD.unit_name OR NEW.rule_id != OLD.rule_id OR NEW.day != OLD.day OR NEW.points != OLD.points
    OR NEW.ground != OLD.ground OR NEW.proofs != OLD.proofs OR NEW.at_us != OLD.at_us OR NEW.by != OLD.by OR (OLD.number > 0 AND (NEW.number != OLD.number OR NEW.year != OLD.year))
  BEGIN SELECT RAISE(ABORT, 'what a deduction rests on is never changed'); END;
CREATE TRIGGER deduction_steps_stay BEFORE DELETE ON deduction_steps BEGIN SELECT RAISE(ABORT, 'a step is never removed'); END;
CREATE TRIGGER deduction_steps_frozen BEFORE UPDATE ON deduction_steps BEGIN SELECT RAISE(ABORT, 'a step is never changed'); END;
CREATE TRIGGER deduction_appeals_stay BEFORE DELETE ON deduction_appeals BEGIN SELECT RAISE(ABORT, 'an appeal is never removed'); END;
CREATE TRIGGER deduction_appeals_frozen BEFORE UPDATE ON deduction_appeals BEGIN SELECT RAISE(ABORT, 'an appeal is never changed'); END;
