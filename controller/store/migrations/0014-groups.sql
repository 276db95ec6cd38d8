-- Groups of the office: their place in a series, their life, who looks after
-- them, and how many take part. Times are microseconds since 1970 UTC; 0 means
-- none.
ALTER TABLE groups ADD COLUMN seq INTEGER NOT NULL DEFAULT 1;          -- among the groups of its tier, unit and grid, from 1; never used again
ALTER TABLE groups ADD COLUMN state TEXT NOT NULL DEFAULT 'active';    -- fleet.GroupState
ALTER TABLE groups ADD COLUMN platform TEXT NOT NULL DEFAULT 'wechat'; -- one of fleet.GroupPlatforms
ALTER TABLE groups ADD COLUMN owner_post TEXT NOT NULL DEFAULT '';
ALTER TABLE groups ADD COLUMN owner_phone TEXT NOT NULL DEFAULT '';    -- sealed; of the present owner
ALTER TABLE groups ADD COLUMN admins TEXT NOT NULL DEFAULT '[]';       -- JSON array of names
ALTER TABLE groups ADD COLUMN households INTEGER NOT NULL DEFAULT 0;   -- that the group is for; 0 if not known
ALTER TABLE groups ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;       -- households of which somebody is in it
ALTER TABLE groups ADD COLUMN created TEXT NOT NULL DEFAULT '';        -- day on which it was made, 2006-01-02
ALTER TABLE groups ADD COLUMN changed_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE groups ADD COLUMN ended_us INTEGER NOT NULL DEFAULT 0;     -- when it was merged or dissolved
ALTER TABLE groups ADD COLUMN into_id INTEGER REFERENCES groups(id);   -- the group that it was merged into

UPDATE groups SET seq = (
  SELECT count(*) FROM groups o
  WHERE o.tier = groups.tier AND o.unit_id = groups.unit_id AND coalesce(o.grid_id, 0) = coalesce(groups.grid_id, 0) AND o.id <= groups.id
);
CREATE INDEX groups_by_place ON groups (tier, unit_id, grid_id);

-- Names that a group had: 曾用名.
CREATE TABLE group_names (
  id       INTEGER PRIMARY KEY,
  group_id INTEGER NOT NULL REFERENCES groups(id),
  name     TEXT NOT NULL,
  until_us INTEGER NOT NULL,
  by       TEXT NOT NULL DEFAULT ''              -- login of whoever said so
);
CREATE INDEX group_names_of ON group_names (group_id);

-- Who looked after a group, and since when: names and posts, no numbers.
CREATE TABLE group_people (
  id       INTEGER PRIMARY KEY,
  group_id INTEGER NOT NULL REFERENCES groups(id),
  owner    INTEGER NOT NULL,                     -- 1 owner, 0 administrator
  name     TEXT NOT NULL,
  post     TEXT NOT NULL DEFAULT '',
  from_us  INTEGER NOT NULL,                     -- 0 where nobody knows
  to_us    INTEGER NOT NULL DEFAULT 0            -- 0 while it is so
);
CREATE INDEX group_people_of ON group_people (group_id, to_us);

INSERT INTO group_people (group_id, owner, name, from_us) SELECT id, 1, owner, 0 FROM groups WHERE owner <> '';
