-- Points at which nothing sounds unless the kernel's clock is synchronised (wire.T2).
ALTER TABLE points ADD COLUMN need_sync INTEGER NOT NULL DEFAULT 0; -- 0 or 1; 0: wire.T1 suffices
