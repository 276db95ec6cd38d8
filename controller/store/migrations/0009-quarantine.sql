-- A device plays once a person has heard its test tone.
ALTER TABLE devices ADD COLUMN cloned      INTEGER NOT NULL DEFAULT 0;  -- 0 or 1; 1: two machines use its key
ALTER TABLE devices ADD COLUMN toned_us    INTEGER NOT NULL DEFAULT 0;  -- end of the latest test tone that sounded whole; 0 for none
ALTER TABLE devices ADD COLUMN unheard_us  INTEGER NOT NULL DEFAULT 0;  -- a person heard nothing; 0 for never
ALTER TABLE devices ADD COLUMN accepted_us INTEGER NOT NULL DEFAULT 0;  -- a person let it play; 0 before
ALTER TABLE devices ADD COLUMN accepted_by TEXT NOT NULL DEFAULT '';    -- login; empty for those of before this version
UPDATE devices SET accepted_us = enrolled_us;
