-- Times are microseconds since 1970 UTC; 0 means none.

-- What happened, in order, so that a reader who was away can go on. The ledger
-- is the truth; this only says when to look.
CREATE TABLE occurrences (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,    -- order of commit, never reused
  at_us    INTEGER NOT NULL,
  kind     TEXT NOT NULL,                        -- fleet.OccurrenceKind
  point_id INTEGER NOT NULL,                     -- 0 where no point is concerned
  object   TEXT NOT NULL,                        -- name of what it happened to
  data     TEXT NOT NULL                         -- JSON object of names and values
);
CREATE INDEX occurrences_by_time ON occurrences (at_us);

-- How far the sources of occurrences were read, so that nothing is told twice.
CREATE TABLE occurrence_sources (
  name TEXT PRIMARY KEY,
  read INTEGER NOT NULL                          -- highest id that was read
) WITHOUT ROWID;

-- Robots in group chats, and webhooks.
CREATE TABLE robots (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  name        TEXT NOT NULL UNIQUE,
  platform    TEXT NOT NULL,                     -- fleet.Platform
  host        TEXT NOT NULL,                     -- host[:port] of its address, to be shown
  target      TEXT NOT NULL,                     -- sealed JSON of fleet.RobotTarget
  feeds       TEXT NOT NULL,                     -- JSON array of fleet.Feed
  keyword     TEXT NOT NULL,                     -- a word that every message must hold; '' for none
  mention_all INTEGER NOT NULL,                  -- 0 or 1
  mobiles     INTEGER NOT NULL,                  -- how many persons are mentioned
  created_us  INTEGER NOT NULL,
  created_by  TEXT NOT NULL,                     -- login
  paused_us   INTEGER NOT NULL DEFAULT 0,        -- since when nothing is sent
  told        INTEGER NOT NULL,                  -- highest occurrence that is in a message
  digest_us   INTEGER NOT NULL DEFAULT 0,        -- when the last digest was written
  hold_us     INTEGER NOT NULL DEFAULT 0,        -- the platform asked for patience until then
  tokens      REAL NOT NULL DEFAULT 0,           -- left in the bucket at tokens_us
  tokens_us   INTEGER NOT NULL DEFAULT 0
);

-- Messages on their way. A row tells its story; what was sent is kept for a
-- week, what could not be is kept until a person decides.
CREATE TABLE outbox (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  robot_id   INTEGER NOT NULL REFERENCES robots(id) ON DELETE CASCADE,
  kind       TEXT NOT NULL,                      -- fleet.LetterKind
  title      TEXT NOT NULL,
  body       TEXT NOT NULL,                      -- text of a message, JSON of a webhook
  state      TEXT NOT NULL,                      -- fleet.LetterState
  created_us INTEGER NOT NULL,
  next_us    INTEGER NOT NULL,                   -- not tried before; stored before each attempt
  attempts   INTEGER NOT NULL DEFAULT 0,         -- how often it was tried
  tried_us   INTEGER NOT NULL DEFAULT 0,         -- last attempt
  ended_us   INTEGER NOT NULL DEFAULT 0,         -- sent, or given up
  why        TEXT NOT NULL DEFAULT '',           -- fleet.LetterFault of the last attempt
  answer     TEXT NOT NULL DEFAULT ''            -- what the other side said, cut
);
CREATE INDEX outbox_by_robot ON outbox (robot_id, state, id);
CREATE INDEX outbox_by_state ON outbox (state, id);
