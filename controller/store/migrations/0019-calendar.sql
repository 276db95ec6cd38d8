-- Calendar of the office. Times are microseconds since 1970 UTC, 0 where it has
-- not happened.

-- Exams, days of mourning and temporary stops, for every programme.
CREATE TABLE calendar_entries (
  id         INTEGER PRIMARY KEY,
  kind       TEXT NOT NULL,                      -- fleet.EntryKind
  title      TEXT NOT NULL,                      -- as people call it
  document   TEXT NOT NULL,                      -- number of the notice, a link, or the reason
  spans      TEXT NOT NULL,                      -- JSON list of fleet.CalendarSpan
  at_us      INTEGER NOT NULL,                   -- since when it holds
  by         TEXT NOT NULL,                      -- login of who entered it
  name       TEXT NOT NULL,                      -- and the name then
  ended_us   INTEGER NOT NULL DEFAULT 0,         -- when it was taken back
  ended_by   TEXT NOT NULL DEFAULT '',           -- login
  end_reason TEXT NOT NULL DEFAULT ''            -- in the person's words
);

-- Tables of public holidays that the office imported, one a year.
CREATE TABLE holiday_tables (
  year        INTEGER PRIMARY KEY,               -- of the notice
  body        BLOB NOT NULL,                     -- JSON in the form of the holiday-cn project
  source      TEXT NOT NULL,                     -- name of the file it came from
  by          TEXT NOT NULL,                     -- login
  imported_us INTEGER NOT NULL                   -- the latest import
);

-- Programmes that somebody left half written.
CREATE TABLE programme_drafts (
  id       INTEGER PRIMARY KEY,
  owner    TEXT NOT NULL,                        -- login
  title    TEXT NOT NULL,                        -- name in the form, or what stands for it
  form     BLOB NOT NULL,                        -- URL-encoded fields as they were
  saved_us INTEGER NOT NULL                      -- when it was saved last
);
CREATE INDEX programme_drafts_by_owner ON programme_drafts (owner);
