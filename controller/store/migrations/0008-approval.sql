-- Times are microseconds since 1970 UTC; 0 means none. Days are days since 1970-01-01.

-- Where a clip stands between upload and loudspeaker.
ALTER TABLE clips ADD COLUMN state        TEXT NOT NULL DEFAULT 'draft';    -- fleet.ClipState
ALTER TABLE clips ADD COLUMN since_us     INTEGER NOT NULL DEFAULT 0;       -- in that state
ALTER TABLE clips ADD COLUMN reason       TEXT NOT NULL DEFAULT '';         -- of that state
ALTER TABLE clips ADD COLUMN submitter    TEXT NOT NULL DEFAULT '';         -- login
ALTER TABLE clips ADD COLUMN submitted_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clips ADD COLUMN signer       TEXT NOT NULL DEFAULT '';         -- login
ALTER TABLE clips ADD COLUMN signed_us    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clips ADD COLUMN valid_from   INTEGER NOT NULL DEFAULT 0;       -- first day; 0 for no bound
ALTER TABLE clips ADD COLUMN valid_until  INTEGER NOT NULL DEFAULT 0;       -- last day; 0 for no bound
ALTER TABLE clips ADD COLUMN changes      TEXT NOT NULL DEFAULT '';         -- fleet.ClipTerms as JSON that wait for a sign-off; empty for none
ALTER TABLE clips ADD COLUMN hands        TEXT NOT NULL DEFAULT '[]';       -- JSON array of logins that may not sign
ALTER TABLE clips ADD COLUMN revision     INTEGER NOT NULL DEFAULT 0;       -- grows with every step

-- What there is has sounded already.
UPDATE clips SET state = CASE withdrawn_us WHEN 0 THEN 'approved' ELSE 'recalled' END,
  since_us = CASE withdrawn_us WHEN 0 THEN uploaded_us ELSE withdrawn_us END,
  submitter = by, submitted_us = uploaded_us, hands = json_array(by), revision = 1;
ALTER TABLE clips DROP COLUMN withdrawn_us;

-- Every step of every clip. Nothing here is ever changed or removed.
CREATE TABLE clip_events (
  id          INTEGER PRIMARY KEY,
  clip_id     INTEGER NOT NULL REFERENCES clips(id),
  at_us       INTEGER NOT NULL,
  step        TEXT NOT NULL,                     -- fleet.ClipStep
  was         TEXT NOT NULL,                     -- fleet.ClipState before
  now         TEXT NOT NULL,                     -- and after
  by          TEXT NOT NULL DEFAULT '',          -- login; empty for the upgrade itself
  name        TEXT NOT NULL DEFAULT '',          -- of that person, as it was then
  address     TEXT NOT NULL DEFAULT '',          -- where that person sat
  reason      TEXT NOT NULL DEFAULT '',
  title       TEXT NOT NULL,                     -- as signed, or as it stood
  text        TEXT NOT NULL,                     -- likewise
  valid_from  INTEGER NOT NULL,                  -- first day; 0 for no bound
  valid_until INTEGER NOT NULL,                  -- last day; 0 for no bound
  sha256      TEXT NOT NULL,                     -- of the audio
  heard       INTEGER NOT NULL DEFAULT 0         -- 0 or 1: who signed had fetched the audio
);
CREATE INDEX clip_events_by_clip ON clip_events (clip_id);
INSERT INTO clip_events (clip_id, at_us, step, was, now, title, text, valid_from, valid_until, sha256)
  SELECT id, since_us, 'carried', state, state, title, text, 0, 0, sha256 FROM clips ORDER BY id;

CREATE TRIGGER clip_events_stay BEFORE DELETE ON clip_events BEGIN SELECT RAISE(ABORT, 'the history of a clip is never removed'); END;
CREATE TRIGGER clip_events_frozen BEFORE UPDATE ON clip_events BEGIN SELECT RAISE(ABORT, 'the history of a clip is never changed'); END;

-- Who has fetched the audio of a clip on its page, and first when.
CREATE TABLE clip_hearings (
  clip_id INTEGER NOT NULL REFERENCES clips(id),
  login   TEXT NOT NULL,
  at_us   INTEGER NOT NULL,
  PRIMARY KEY (clip_id, login)
) WITHOUT ROWID;

-- Which devices have to delete a recalled clip, and when each said it had.
CREATE TABLE clip_purges (
  event_id  INTEGER NOT NULL REFERENCES clip_events(id), -- the recall
  device_id INTEGER NOT NULL REFERENCES devices(id),
  clip_id   INTEGER NOT NULL REFERENCES clips(id),
  purged_us INTEGER NOT NULL DEFAULT 0,          -- 0 while it has not said so
  PRIMARY KEY (event_id, device_id)
) WITHOUT ROWID;
CREATE INDEX clip_purges_open ON clip_purges (device_id) WHERE purged_us = 0;
CREATE INDEX clip_purges_by_clip ON clip_purges (clip_id);
