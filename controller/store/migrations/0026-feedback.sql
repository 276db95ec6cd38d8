-- Weekly figures and feedback. Times are microseconds since 1970 UTC; a week is
-- its Monday in days since 1970-01-01.

-- Counts of a unit and week, one row for each version; the highest one counts.
-- NULL means that the count is not known, which is not 0.
CREATE TABLE figures (
  id          INTEGER PRIMARY KEY,
  unit_id     INTEGER NOT NULL REFERENCES units(id),
  week_day    INTEGER NOT NULL,                 -- Monday
  version     INTEGER NOT NULL,                 -- from 1
  cases       INTEGER,                          -- 发案数
  loss_fen    INTEGER,                          -- 损失金额 in fen, 1/100 yuan
  clues       INTEGER,                          -- 两卡线索条数
  key_persons INTEGER,                          -- 重点人数
  key_reduced INTEGER,                          -- 重点人核减数
  types       TEXT NOT NULL,                    -- JSON object: cases by scam type
  at_us       INTEGER NOT NULL,
  by          TEXT NOT NULL,                    -- login
  name        TEXT NOT NULL,                    -- of the person
  source      TEXT NOT NULL,                    -- file; '' where it was typed
  UNIQUE (week_day, unit_id, version)
);

-- What units filed for a week, one row for each version; all are kept.
CREATE TABLE feedbacks (
  id       INTEGER PRIMARY KEY,
  unit_id  INTEGER NOT NULL REFERENCES units(id),
  week_day INTEGER NOT NULL,                    -- Monday
  version  INTEGER NOT NULL,                    -- from 1
  at_us    INTEGER NOT NULL,
  by       TEXT NOT NULL,                       -- login
  name     TEXT NOT NULL,                       -- of the person
  UNIQUE (week_day, unit_id, version)
);

-- Problems in a version; a version without any is a 零报告.
CREATE TABLE feedback_items (
  feedback_id INTEGER NOT NULL REFERENCES feedbacks(id),
  number      INTEGER NOT NULL,                 -- names the problem in all versions
  position    INTEGER NOT NULL,                 -- from 0
  text        TEXT NOT NULL,
  photos      TEXT NOT NULL,                    -- JSON array of ids of feedback_photos
  PRIMARY KEY (feedback_id, number)
) WITHOUT ROWID;

CREATE TABLE feedback_photos (
  id       INTEGER PRIMARY KEY,
  unit_id  INTEGER NOT NULL REFERENCES units(id),
  week_day INTEGER NOT NULL,                    -- Monday
  at_us    INTEGER NOT NULL,
  jpeg     BLOB NOT NULL                        -- made by package picture
);

-- What the office decided about a problem; the latest row counts.
CREATE TABLE feedback_marks (
  id       INTEGER PRIMARY KEY,
  unit_id  INTEGER NOT NULL REFERENCES units(id),
  week_day INTEGER NOT NULL,                    -- Monday
  number   INTEGER NOT NULL,                    -- of the problem
  state    TEXT NOT NULL,                       -- fleet.ItemState
  note     TEXT NOT NULL,
  at_us    INTEGER NOT NULL,
  by       TEXT NOT NULL,                       -- login
  name     TEXT NOT NULL                        -- of the person
);
CREATE INDEX feedback_marks_of_week ON feedback_marks (week_day, unit_id, number);

-- Reminders that were told of, so that none is told twice.
CREATE TABLE feedback_reminders (
  week_day INTEGER NOT NULL,                    -- Monday
  number   INTEGER NOT NULL,                    -- of the week, from 1
  at_us    INTEGER NOT NULL,
  missing  INTEGER NOT NULL,                    -- how many units had not filed
  PRIMARY KEY (week_day, number)
) WITHOUT ROWID;

-- Who owed feedback when the deadline of a week passed, and the deadline that
-- held: the list of that Monday, whatever is changed later.
CREATE TABLE feedback_owed (
  week_day INTEGER NOT NULL,                    -- Monday
  unit_id  INTEGER NOT NULL REFERENCES units(id),
  due_us   INTEGER NOT NULL,
  PRIMARY KEY (week_day, unit_id)
) WITHOUT ROWID;
