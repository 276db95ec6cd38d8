-- The audit becomes a chain: package audit says what is hashed. Lines that were
-- there before are chained in the transaction of this migration.
ALTER TABLE audit ADD COLUMN role TEXT NOT NULL DEFAULT '';        -- fleet.Role of the account then; empty where nobody was logged in
ALTER TABLE audit ADD COLUMN before TEXT NOT NULL DEFAULT '';      -- how it was: text, or a JSON object of fields
ALTER TABLE audit ADD COLUMN after TEXT NOT NULL DEFAULT '';       -- how it is since
ALTER TABLE audit ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;    -- 0 or 1: it was refused or did not succeed
ALTER TABLE audit ADD COLUMN prev TEXT NOT NULL DEFAULT '';        -- hex SHA-256, hash of the line before
ALTER TABLE audit ADD COLUMN hash TEXT NOT NULL DEFAULT '';        -- hex SHA-256; empty only inside this migration

CREATE INDEX audit_by_time ON audit (at_us);

-- What the controller signed of the audit.
CREATE TABLE audit_heads (
  number    INTEGER PRIMARY KEY,                 -- from 1, without gaps
  line      INTEGER NOT NULL,                    -- id of the newest line then
  signed_us INTEGER NOT NULL,
  envelope  BLOB NOT NULL                        -- audit.Head, sealed by the director
);

-- Lines that the retention dropped. 184 days are the least: six months of any
-- length, as the law demands.
CREATE TABLE audit_prunings (
  upto    INTEGER PRIMARY KEY,                   -- id of the last line dropped
  upto_us INTEGER NOT NULL,                      -- its time
  at_us   INTEGER NOT NULL,                      -- when it was dropped
  CHECK (at_us - upto_us >= 184 * 86400 * 1000000)
);

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit WHEN old.hash <> ''
BEGIN SELECT RAISE(ABORT, 'a line of the audit is never changed'); END;

CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM audit_prunings p WHERE old.id <= p.upto AND old.at_us <= p.upto_us)
BEGIN SELECT RAISE(ABORT, 'a line of the audit is deleted by the retention only'); END;

CREATE TRIGGER audit_heads_are_not_changed BEFORE UPDATE ON audit_heads
BEGIN SELECT RAISE(ABORT, 'a head of the audit is never changed'); END;

CREATE TRIGGER audit_heads_are_not_deleted BEFORE DELETE ON audit_heads
BEGIN SELECT RAISE(ABORT, 'a head of the audit is never deleted'); END;

CREATE TRIGGER audit_prunings_are_not_changed BEFORE UPDATE ON audit_prunings
BEGIN SELECT RAISE(ABORT, 'a pruning of the audit is never changed'); END;
