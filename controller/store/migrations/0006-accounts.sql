-- Accounts of people: whose points they see, how long they last, and the second
-- factor. Times are microseconds since 1970 UTC; 0 means none.
ALTER TABLE users ADD COLUMN unit_id INTEGER REFERENCES units(id);      -- of a unit account, whose points it sees; NULL for others
ALTER TABLE users ADD COLUMN company TEXT NOT NULL DEFAULT '';          -- of a property account, as in compounds.property
ALTER TABLE users ADD COLUMN expires_us INTEGER NOT NULL DEFAULT 0;     -- the account ends; 0: it does not
ALTER TABLE users ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;       -- 0 or 1
ALTER TABLE users ADD COLUMN password_set_us INTEGER NOT NULL DEFAULT 0; -- when the password was chosen
ALTER TABLE users ADD COLUMN login_us INTEGER NOT NULL DEFAULT 0;       -- last good login
ALTER TABLE users ADD COLUMN totp TEXT NOT NULL DEFAULT '';             -- secret of the second factor, sealed by package vault; empty while off
ALTER TABLE users ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;      -- last 30 s step whose code was used; never used again
UPDATE users SET password_set_us = created_us;

-- Failures are counted by account and address, below.
ALTER TABLE users DROP COLUMN failures;
ALTER TABLE users DROP COLUMN locked_to_us;

-- Passwords an account had, so that they are not chosen again.
CREATE TABLE old_passwords (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,    -- order
  user_id  INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  password TEXT NOT NULL                         -- argon2id, PHC string format
);
CREATE INDEX old_passwords_by_user ON old_passwords (user_id);

-- One-time codes that stand in for a lost second factor.
CREATE TABLE recovery_codes (
  user_id INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  hash    TEXT NOT NULL,                         -- hex SHA-256 of the code
  used_us INTEGER NOT NULL DEFAULT 0,            -- 0 while good
  PRIMARY KEY (user_id, hash)
) WITHOUT ROWID;

-- Failed logins, so that a restart does not forgive them.
CREATE TABLE login_failures (
  login    TEXT NOT NULL,                        -- as typed, normalised; '' for all of an address
  address  TEXT NOT NULL,                        -- or a browser, as in login_addresses; '' for all of an account
  failures INTEGER NOT NULL,                     -- since the last good login or the end of the last pause
  until_us INTEGER NOT NULL,                     -- when they are forgotten; of a full count, when the pause ends
  PRIMARY KEY (login, address)
) WITHOUT ROWID;

-- Where somebody logged in from, so that guessing from elsewhere does not keep them out.
CREATE TABLE login_addresses (
  user_id INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  address TEXT NOT NULL,                         -- or "browser:" and the hex SHA-256 of the token that a browser keeps
  seen_us INTEGER NOT NULL,                      -- last good login from there
  PRIMARY KEY (user_id, address)
) WITHOUT ROWID;
