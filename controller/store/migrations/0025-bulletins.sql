-- Bulletins of the office (周通报, 专项通报, 督查专报): drafts that people edit,
-- and issues that stay as they were signed. Times are microseconds since 1970
-- UTC; 0 means never.
CREATE TABLE bulletins (
  id             INTEGER PRIMARY KEY,
  kind           TEXT NOT NULL,                   -- weekly, special or report
  state          TEXT NOT NULL DEFAULT 'draft',   -- draft, submitted or issued
  from_day       INTEGER NOT NULL DEFAULT 0,      -- first day of a weekly one; 0 for other kinds
  to_day         INTEGER NOT NULL DEFAULT 0,      -- last day
  subject        TEXT NOT NULL DEFAULT '',        -- of special ones and reports
  units          TEXT NOT NULL DEFAULT '[]',      -- JSON array of unit ids that it concerns; empty means all
  texts          TEXT NOT NULL DEFAULT '{}',      -- JSON object: chapter to what a person typed
  version        INTEGER NOT NULL DEFAULT 1,      -- grows with each change of the draft
  created_us     INTEGER NOT NULL,                -- when it was begun
  by             TEXT NOT NULL,                   -- login of who began it; [controller] for a draft made by itself
  edited         TEXT NOT NULL DEFAULT '[]',      -- JSON array of the logins that changed it
  submitted_us   INTEGER NOT NULL DEFAULT 0,      -- when it was last sent up for signing
  submitted_by   TEXT NOT NULL DEFAULT '',        -- login
  returned_us    INTEGER NOT NULL DEFAULT 0,      -- when it was last sent back
  returned_by    TEXT NOT NULL DEFAULT '',        -- login
  reason         TEXT NOT NULL DEFAULT '',        -- why it was sent back
  issued_us      INTEGER NOT NULL DEFAULT 0,      -- when it was signed
  issued_by      TEXT NOT NULL DEFAULT '',        -- login of the signer
  issued_name    TEXT NOT NULL DEFAULT '',        -- name of the signer, as it was then
  year           INTEGER,                         -- local year of signing; NULL before
  number         INTEGER,                         -- within kind and year, from 1; NULL before
  total          INTEGER,                         -- within the kind over all years; NULL before
  publication_id INTEGER REFERENCES publications(id), -- the sealed sums of its period; NULL where there are none
  changes_after  INTEGER NOT NULL DEFAULT 0,      -- id of the last change of that publication when it was signed
  content        BLOB,                            -- JSON of what was signed; NULL before
  sha256         TEXT NOT NULL DEFAULT '',        -- hex, of content
  UNIQUE (kind, year, number),
  UNIQUE (kind, total)
);
CREATE UNIQUE INDEX bulletins_weekly ON bulletins (from_day, to_day) WHERE kind = 'weekly';
CREATE INDEX bulletins_by_kind ON bulletins (kind, id);

-- Numbered corrections of issued bulletins. They share the row of numbers with
-- table amendments.
CREATE TABLE bulletin_corrections (
  id           INTEGER PRIMARY KEY,
  bulletin_id  INTEGER NOT NULL REFERENCES bulletins(id), -- that it corrects
  year         INTEGER NOT NULL,                  -- local year of signing
  number       INTEGER NOT NULL,                  -- within the year, from 1
  at_us        INTEGER NOT NULL,                  -- when it was signed
  by           TEXT NOT NULL,                     -- login
  name         TEXT NOT NULL DEFAULT '',          -- of who signed, as it was then
  changes      TEXT NOT NULL,                     -- JSON array: figures, old and new
  slots        TEXT NOT NULL DEFAULT '[]',        -- JSON array: a line for each slot that changed
  content      BLOB NOT NULL,                     -- JSON of what the bulletin would say with it
  amendment_id INTEGER REFERENCES amendments(id), -- of the sealed sums; NULL where they did not change
  printed_in   INTEGER REFERENCES bulletins(id),  -- the issue that carries it; NULL while none does
  UNIQUE (year, number)
);
CREATE INDEX bulletin_corrections_of ON bulletin_corrections (bulletin_id);

CREATE TRIGGER bulletins_stay BEFORE DELETE ON bulletins BEGIN SELECT RAISE(ABORT, 'a bulletin is never removed'); END;
CREATE TRIGGER bulletins_frozen BEFORE UPDATE ON bulletins WHEN OLD.state = 'issued' BEGIN SELECT RAISE(ABORT, 'an issued bulletin is never changed'); END;
CREATE TRIGGER bulletin_corrections_stay BEFORE DELETE ON bulletin_corrections BEGIN SELECT RAISE(ABORT, 'a correction is never removed'); END;
CREATE TRIGGER bulletin_corrections_frozen BEFORE UPDATE ON bulletin_corrections
  WHEN OLD.printed_in IS NOT NULL OR NEW.printed_in IS NULL OR NEW.changes != OLD.changes OR NEW.content != OLD.content OR NEW.slots != OLD.slots
    OR NEW.bulletin_id != OLD.bulletin_id OR NEW.year != OLD.year OR NEW.number != OLD.number OR NEW.at_us != OLD.at_us OR NEW.by != OLD.by
  BEGIN SELECT RAISE(ABORT, 'a correction is only taken into an issue'); END;
