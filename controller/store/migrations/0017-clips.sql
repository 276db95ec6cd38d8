-- Times are microseconds since 1970 UTC; 0 means none.

-- What a clip is besides its sound.
ALTER TABLE clips ADD COLUMN spoken      TEXT NOT NULL DEFAULT '';        -- 朗读文本, where it is another than what is shown
ALTER TABLE clips ADD COLUMN source      TEXT NOT NULL DEFAULT 'upload';  -- fleet.ClipSource
ALTER TABLE clips ADD COLUMN long_reason TEXT NOT NULL DEFAULT '';        -- why it may be longer than others; empty where it is not
ALTER TABLE clips ADD COLUMN family      INTEGER NOT NULL DEFAULT 0;      -- id of the first version; 0 in the first one itself
ALTER TABLE clips ADD COLUMN version     INTEGER NOT NULL DEFAULT 1;      -- from 1, within the family
CREATE INDEX clips_family ON clips (family) WHERE family != 0;

-- Recordings that are too long for a clip; clips are cut from them.
CREATE TABLE reels (
  id          INTEGER PRIMARY KEY,
  original    TEXT NOT NULL,                     -- hex SHA-256 of the file as it came
  file        TEXT NOT NULL,                     -- its name, as the sender had it
  kind        TEXT NOT NULL,                     -- decode.Kind
  bytes       INTEGER NOT NULL,                  -- of the file
  duration_ms INTEGER NOT NULL,
  peaks       BLOB,                              -- int8 pairs, minimum and maximum
  by          TEXT NOT NULL,                     -- login
  uploaded_us INTEGER NOT NULL,
  expires_us  INTEGER NOT NULL,                  -- when the file is deleted
  gone_us     INTEGER NOT NULL DEFAULT 0         -- when it was; 0 while it is there
);
CREATE INDEX reels_there ON reels (expires_us) WHERE gone_us = 0;

-- What was cut from them.
CREATE TABLE reel_cuts (
  reel_id INTEGER NOT NULL REFERENCES reels(id),
  clip_id INTEGER NOT NULL REFERENCES clips(id),
  from_ms INTEGER NOT NULL,                      -- from the recording's beginning
  to_ms   INTEGER NOT NULL,                      -- likewise
  PRIMARY KEY (reel_id, clip_id)
) WITHOUT ROWID;

-- The word of the field has the parents in it.
UPDATE clips SET audience = replace(audience, '学生', '学生/家长');
