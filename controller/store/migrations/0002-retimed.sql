-- Records that a device wrote before it knew the time get their instant from a
-- trusted record of the same boot. From here on records.at_us is the best known
-- instant: the device's own time, or the one below where it is known.

-- The best trusted record of each boot of each device, whichever came first.
CREATE TABLE boots (
  device_id INTEGER NOT NULL REFERENCES devices(id),
  boot      TEXT NOT NULL,                       -- the machine's name for it
  at_us     INTEGER NOT NULL,                    -- trusted time
  mono_us   INTEGER NOT NULL,                    -- since the boot, at the same instant
  err_us    INTEGER NOT NULL,                    -- bound of the error of at_us
  PRIMARY KEY (device_id, boot)
) WITHOUT ROWID;

-- Every record that was written without trusted time.
CREATE TABLE retimed (
  record_id INTEGER PRIMARY KEY REFERENCES records(id) ON DELETE CASCADE,
  device_id INTEGER NOT NULL REFERENCES devices(id),
  boot      TEXT NOT NULL,                       -- the machine's name for it
  mono_us   INTEGER NOT NULL,                    -- since that boot
  told_us   INTEGER NOT NULL,                    -- the device's own time, as it stands in the record
  at_us     INTEGER NOT NULL DEFAULT 0,          -- the instant by boots; 0 while none is known
  err_us    INTEGER NOT NULL DEFAULT 0           -- bound of its error
);
CREATE INDEX retimed_by_boot ON retimed (device_id, boot);

-- What is there already. The arithmetic is that of wire.Anchor.
INSERT INTO retimed (record_id, device_id, boot, mono_us, told_us)
SELECT id, device_id, doc ->> 'boot_id', doc ->> 'mono_us', at_us
FROM (SELECT r.id, l.device_id, r.at_us, CAST(r.raw AS TEXT) AS doc FROM records r JOIN logs l ON l.id = r.log_id)
WHERE json_valid(doc) AND doc ->> 'level' = 0 AND doc ->> 'boot_id' <> '' AND doc ->> 'mono_us' BETWEEN 0 AND 1000000000000000;

INSERT INTO boots (device_id, boot, at_us, mono_us, err_us)
SELECT device_id, boot, at_us, mono_us, err_us FROM (
  SELECT device_id, boot, at_us, mono_us, err_us,
    row_number() OVER (PARTITION BY device_id, boot ORDER BY err_us * 1000000 + mono_us * 100, mono_us, at_us) AS place
  FROM (
    SELECT device_id, at_us, doc ->> 'boot_id' AS boot, doc ->> 'mono_us' AS mono_us,
      coalesce(doc ->> 'err_ms', 0) * 1000 + 1000 AS err_us
    FROM (SELECT l.device_id, r.at_us, CAST(r.raw AS TEXT) AS doc FROM records r JOIN logs l ON l.id = r.log_id)
    WHERE json_valid(doc) AND doc ->> 'level' > 0 AND doc ->> 'boot_id' <> '' AND at_us BETWEEN 1 AND 100000000000000000
      AND doc ->> 'mono_us' BETWEEN 0 AND 1000000000000000 AND coalesce(doc ->> 'err_ms', 0) BETWEEN 0 AND 1000000000
  )
) WHERE place = 1;

UPDATE retimed SET at_us = b.at_us + retimed.mono_us - b.mono_us, err_us = b.err_us + (abs(retimed.mono_us - b.mono_us) * 100 + 999999) / 1000000
FROM boots b WHERE b.device_id = retimed.device_id AND b.boot = retimed.boot;

UPDATE records SET at_us = x.at_us FROM retimed x WHERE x.record_id = records.id AND x.at_us <> 0;
