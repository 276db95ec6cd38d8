-- Times are microseconds since 1970 UTC; 0 means none.

-- API tokens. The secret itself is nowhere.
CREATE TABLE tokens (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL,                      -- what it is for
  hash       TEXT NOT NULL UNIQUE,               -- hex SHA-256 of the secret
  hint       TEXT NOT NULL,                      -- first characters of the secret
  user_id    INTEGER NOT NULL REFERENCES users(id), -- under whose name it acts
  scopes     TEXT NOT NULL,                      -- JSON array of fleet.Action
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL,
  used_us    INTEGER NOT NULL DEFAULT 0,         -- last use, to the minute
  used_from  TEXT NOT NULL DEFAULT '',           -- address of the last use
  revoked_us INTEGER NOT NULL DEFAULT 0,         -- 0 while it holds
  revoked_by TEXT NOT NULL DEFAULT ''            -- login
);
