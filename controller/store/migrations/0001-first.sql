-- Times are microseconds since 1970 UTC; 0 means none. Days are days since 1970-01-01.

CREATE TABLE units (
  id         INTEGER PRIMARY KEY,
  parent_id  INTEGER REFERENCES units(id),       -- NULL for the root
  type       TEXT NOT NULL,                      -- fleet.UnitType
  code       TEXT NOT NULL UNIQUE,               -- stable name in files
  name       TEXT NOT NULL,                      -- full name
  short_name TEXT NOT NULL DEFAULT '',           -- used in group names
  region     TEXT NOT NULL DEFAULT '',           -- 12 digits
  head       TEXT NOT NULL DEFAULT '',           -- first responsible person
  leader     TEXT NOT NULL DEFAULT '',           -- leader in charge
  position   INTEGER NOT NULL DEFAULT 0          -- among siblings
);

CREATE TABLE grids (
  id      INTEGER PRIMARY KEY,
  unit_id INTEGER NOT NULL REFERENCES units(id),
  number  INTEGER NOT NULL,                      -- within the unit, from 1
  name    TEXT NOT NULL DEFAULT '',
  worker  TEXT NOT NULL DEFAULT '',              -- grid worker's name
  UNIQUE (unit_id, number)
);

CREATE TABLE compounds (
  id       INTEGER PRIMARY KEY,
  unit_id  INTEGER NOT NULL REFERENCES units(id),
  grid_id  INTEGER REFERENCES grids(id),
  name     TEXT NOT NULL,
  property TEXT NOT NULL DEFAULT '',             -- property company
  UNIQUE (unit_id, name)
);

CREATE TABLE points (
  id             INTEGER PRIMARY KEY,
  code           TEXT NOT NULL UNIQUE,
  name           TEXT NOT NULL,
  kind           TEXT NOT NULL,                  -- fleet.PointKind
  unit_id        INTEGER NOT NULL REFERENCES units(id),
  compound_id    INTEGER REFERENCES compounds(id),
  tags           TEXT NOT NULL DEFAULT '[]',     -- JSON array of strings
  duty_name      TEXT NOT NULL DEFAULT '',
  duty_phone     TEXT NOT NULL DEFAULT '',
  active_from_us INTEGER NOT NULL DEFAULT 0      -- nothing is owed before; 0 while not installed
);
CREATE INDEX points_by_unit ON points (unit_id);

-- Every unit a point ever belonged to, so that rows written then are found.
CREATE TABLE point_units (
  unit_id  INTEGER NOT NULL REFERENCES units(id),
  point_id INTEGER NOT NULL REFERENCES points(id),
  PRIMARY KEY (unit_id, point_id)
) WITHOUT ROWID;

CREATE TABLE groups (
  id      INTEGER PRIMARY KEY,
  tier    INTEGER NOT NULL,                      -- 1 command, 2 organisation, 3 publicity
  code    TEXT NOT NULL UNIQUE,
  name    TEXT NOT NULL,
  unit_id INTEGER NOT NULL REFERENCES units(id),
  grid_id INTEGER REFERENCES grids(id),
  owner   TEXT NOT NULL DEFAULT '',
  members INTEGER NOT NULL DEFAULT 0             -- people
);

CREATE TABLE liaisons (
  id      INTEGER PRIMARY KEY,
  unit_id INTEGER NOT NULL REFERENCES units(id),
  name    TEXT NOT NULL,
  post    TEXT NOT NULL DEFAULT '',
  phone   TEXT NOT NULL DEFAULT '',
  from_us INTEGER NOT NULL DEFAULT 0,
  to_us   INTEGER NOT NULL DEFAULT 0,            -- 0 while current
  UNIQUE (unit_id, name)
);

CREATE TABLE devices (
  id           INTEGER PRIMARY KEY,
  name         TEXT NOT NULL UNIQUE,             -- wire.DeviceID
  point_id     INTEGER NOT NULL REFERENCES points(id),
  state        TEXT NOT NULL,                    -- fleet.DeviceState
  spki         BLOB NOT NULL,                    -- DER of the public key
  enrolled_us  INTEGER NOT NULL,
  retired_us   INTEGER NOT NULL DEFAULT 0,       -- retired or revoked since
  hardware     TEXT NOT NULL DEFAULT '',
  want_version INTEGER NOT NULL DEFAULT 0,       -- plan it should have
  want_hash    TEXT NOT NULL DEFAULT '',         -- hex SHA-256 of that plan's envelope
  -- What it said last; written late and together, a crash may lose the last seconds.
  last_seen_us INTEGER NOT NULL DEFAULT 0,
  state_at_us  INTEGER NOT NULL DEFAULT 0,       -- controller's time of its last complete state
  session      INTEGER NOT NULL DEFAULT 0,
  nonce        TEXT NOT NULL DEFAULT '',
  agent        TEXT NOT NULL DEFAULT '',         -- version
  said         TEXT NOT NULL DEFAULT '{}'        -- wire.State as JSON
);
CREATE UNIQUE INDEX devices_one_active ON devices (point_id) WHERE state = 'active';

-- When a device was bound to which point.
CREATE TABLE bindings (
  device_id INTEGER NOT NULL REFERENCES devices(id),
  from_us   INTEGER NOT NULL,
  to_us     INTEGER NOT NULL DEFAULT 0,          -- 0 while bound
  point_id  INTEGER NOT NULL REFERENCES points(id),
  PRIMARY KEY (device_id, from_us)
) WITHOUT ROWID;
CREATE INDEX bindings_by_point ON bindings (point_id, from_us);

CREATE TABLE join_codes (
  hash       TEXT PRIMARY KEY,                   -- hex SHA-256 of the normalised code
  point_id   INTEGER NOT NULL REFERENCES points(id),
  issued_us  INTEGER NOT NULL,
  expires_us INTEGER NOT NULL,
  by         TEXT NOT NULL DEFAULT '',           -- login
  used_by    TEXT NOT NULL DEFAULT '',           -- wire.DeviceID
  used_us    INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX join_codes_by_point ON join_codes (point_id);

CREATE TABLE clips (
  id           INTEGER PRIMARY KEY,
  sha256       TEXT NOT NULL UNIQUE,             -- hex, of the delivery form
  original     TEXT NOT NULL DEFAULT '',         -- hex SHA-256 of the upload
  name         TEXT NOT NULL UNIQUE,             -- what programmes refer to
  title        TEXT NOT NULL DEFAULT '',
  scam_type    TEXT NOT NULL DEFAULT '',
  audience     TEXT NOT NULL DEFAULT '',
  text         TEXT NOT NULL DEFAULT '',
  example      INTEGER NOT NULL DEFAULT 0,       -- 0 or 1
  bytes        INTEGER NOT NULL,
  rate         INTEGER NOT NULL,                 -- frames a second
  frames       INTEGER NOT NULL,                 -- length of the delivery form
  lufs         REAL NOT NULL,                    -- integrated loudness
  true_peak    REAL NOT NULL,                    -- dBTP
  gain_db      REAL NOT NULL,                    -- brings it to the target loudness
  silent       INTEGER NOT NULL DEFAULT 0,       -- 0 or 1
  peaks        BLOB,                             -- int8 pairs, minimum and maximum
  uploaded_us  INTEGER NOT NULL,
  by           TEXT NOT NULL DEFAULT '',         -- login
  withdrawn_us INTEGER NOT NULL DEFAULT 0        -- 0 while usable
);

CREATE TABLE programmes (
  id           INTEGER PRIMARY KEY,
  code         TEXT NOT NULL,
  version      INTEGER NOT NULL,                 -- from 1, within the code
  name         TEXT NOT NULL,
  yaml         BLOB NOT NULL,                    -- as it was written
  state        TEXT NOT NULL,                    -- fleet.ProgrammeState
  uploaded_us  INTEGER NOT NULL,
  by           TEXT NOT NULL DEFAULT '',         -- login
  activated_us INTEGER NOT NULL DEFAULT 0,
  UNIQUE (code, version)
);
CREATE UNIQUE INDEX programmes_one_active ON programmes (code) WHERE state = 'active';

CREATE TABLE docs (
  sha256    TEXT PRIMARY KEY,                    -- hex, of bytes
  type      TEXT NOT NULL,                       -- wire.DocType
  device    TEXT NOT NULL DEFAULT '',            -- wire.DeviceID, empty for every device
  version   INTEGER NOT NULL,                    -- wire.Header's
  stored_us INTEGER NOT NULL,
  bytes     BLOB NOT NULL                        -- the sealed envelope
);
CREATE INDEX docs_by_device ON docs (device, type, version);

-- The journals of devices.
CREATE TABLE logs (
  id        INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL REFERENCES devices(id),
  log       TEXT NOT NULL,                       -- wire.LogID
  upto      INTEGER NOT NULL DEFAULT 0,          -- every sequence number up to here is committed
  UNIQUE (device_id, log)
);

CREATE TABLE records (
  id          INTEGER PRIMARY KEY AUTOINCREMENT, -- order of commit, never reused
  log_id      INTEGER NOT NULL REFERENCES logs(id),
  seq         INTEGER NOT NULL,                  -- from 1
  point_id    INTEGER NOT NULL,                  -- the device was bound to when it wrote
  kind        TEXT NOT NULL,                     -- wire.RecordKind
  slot        TEXT,                              -- wire.SlotID, NULL where the kind has none
  at_us       INTEGER NOT NULL,                  -- the device's time
  received_us INTEGER NOT NULL,                  -- the controller's time
  raw         BLOB NOT NULL,                     -- the bytes that the journal hashed
  UNIQUE (log_id, seq)
);
CREATE INDEX records_by_slot ON records (point_id, slot) WHERE slot IS NOT NULL;
CREATE INDEX records_of_machine ON records (point_id, at_us) WHERE slot IS NULL;

-- Records that were received and could not be taken; their numbers count as received.
CREATE TABLE dead_letters (
  id          INTEGER PRIMARY KEY,
  log_id      INTEGER NOT NULL REFERENCES logs(id),
  seq         INTEGER NOT NULL,                  -- 0 if it did not say
  sha256      TEXT NOT NULL,                     -- hex, of raw
  reason      TEXT NOT NULL,
  received_us INTEGER NOT NULL,
  raw         BLOB NOT NULL,                     -- as it arrived
  UNIQUE (log_id, seq, sha256)
);

-- The part of a slot's id after "<day>.".
CREATE TABLE slots (
  id        INTEGER PRIMARY KEY,
  suffix    TEXT NOT NULL UNIQUE,
  programme TEXT NOT NULL                        -- programme code
);

CREATE TABLE obligations (
  point_id    INTEGER NOT NULL REFERENCES points(id),
  day         INTEGER NOT NULL,                  -- local date of start
  slot_id     INTEGER NOT NULL REFERENCES slots(id),
  unit_id     INTEGER NOT NULL,                  -- of the point when the row was written
  compound_id INTEGER NOT NULL,                  -- likewise; 0 if none
  version     INTEGER NOT NULL,                  -- of the programme
  name        TEXT NOT NULL,                     -- shown to people
  day_type    TEXT NOT NULL,                     -- schedules.DayType
  start_us    INTEGER NOT NULL,
  end_us      INTEGER NOT NULL,
  plays       INTEGER NOT NULL,                  -- planned
  planned_ms  INTEGER NOT NULL,                  -- sounding time of all planned plays
  demo        INTEGER NOT NULL,                  -- 0 or 1
  verdict     TEXT NOT NULL,                     -- fleet.Verdict
  grade       TEXT NOT NULL DEFAULT '',          -- fleet.Grade
  reason      TEXT NOT NULL DEFAULT '',          -- wire.Reason
  note        TEXT NOT NULL DEFAULT '',
  plays_ok    INTEGER NOT NULL DEFAULT 0,        -- sounded whole
  sound_ms    INTEGER NOT NULL DEFAULT 0,        -- known to have sounded
  settled_us  INTEGER NOT NULL DEFAULT 0,        -- 0 while due
  device      TEXT NOT NULL DEFAULT '',          -- wire.DeviceID of the evidence
  revisions   INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (point_id, day, slot_id)
) WITHOUT ROWID;
CREATE INDEX obligations_due ON obligations (end_us) WHERE verdict = 'due';
CREATE INDEX obligations_pending ON obligations (point_id, end_us) WHERE verdict = 'pending';

-- Settled verdicts that better evidence changed; was and now are fleet.Settlement as JSON.
CREATE TABLE corrections (
  id       INTEGER PRIMARY KEY,
  at_us    INTEGER NOT NULL,
  point_id INTEGER NOT NULL REFERENCES points(id),
  slot     TEXT NOT NULL,                        -- wire.SlotID
  was      TEXT NOT NULL,
  now      TEXT NOT NULL
);
CREATE INDEX corrections_by_slot ON corrections (point_id, slot);

-- Sums over obligations, changed in the transaction that changes the rows.
CREATE TABLE rollup (
  day         INTEGER NOT NULL,
  unit_id     INTEGER NOT NULL,
  compound_id INTEGER NOT NULL,
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
  PRIMARY KEY (day, unit_id, compound_id, name, demo)
) WITHOUT ROWID;

CREATE TABLE users (
  id           INTEGER PRIMARY KEY,
  login        TEXT NOT NULL UNIQUE,
  name         TEXT NOT NULL,
  role         TEXT NOT NULL,                    -- fleet.Role
  password     TEXT NOT NULL,                    -- argon2id, PHC string format
  must_set     INTEGER NOT NULL DEFAULT 0,       -- 0 or 1: has to be changed
  created_us   INTEGER NOT NULL,
  failures     INTEGER NOT NULL DEFAULT 0,       -- failed logins since the last good one
  locked_to_us INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE sessions (
  hash       TEXT PRIMARY KEY,                   -- hex SHA-256 of the token
  user_id    INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  created_us INTEGER NOT NULL,
  seen_us    INTEGER NOT NULL,
  expires_us INTEGER NOT NULL,
  address    TEXT NOT NULL DEFAULT '',
  agent      TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE audit (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at_us   INTEGER NOT NULL,
  who     TEXT NOT NULL,                         -- login
  address TEXT NOT NULL DEFAULT '',
  what    TEXT NOT NULL,                         -- action code
  object  TEXT NOT NULL DEFAULT '',
  detail  TEXT NOT NULL DEFAULT ''
);

CREATE TABLE settings (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
