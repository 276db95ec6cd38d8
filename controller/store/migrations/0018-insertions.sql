-- How clips came to be that were made here: read by a synthesiser, or recorded
-- in a browser. A clip that was uploaded as a file has none.
CREATE TABLE utterances (
  clip_id  INTEGER PRIMARY KEY REFERENCES clips (id), -- the clip
  origin   TEXT NOT NULL,                             -- fleet.Origin
  spoken   TEXT NOT NULL DEFAULT '',                  -- text that was read, with its readings; empty for a recording
  voice    TEXT NOT NULL DEFAULT '',                  -- program and voice that read it
  at_us    INTEGER NOT NULL,                          -- when it was made, microseconds since 1970 UTC
  by       TEXT NOT NULL                              -- login of who made it
);

-- Prepared texts of urgent broadcasts.
CREATE TABLE urgent_texts (
  id       INTEGER PRIMARY KEY,
  title    TEXT NOT NULL UNIQUE,                      -- what it is about
  spoken   TEXT NOT NULL,                             -- to be read aloud
  example  INTEGER NOT NULL DEFAULT 0,                -- 1: shipped as an example, unchanged
  at_us    INTEGER NOT NULL DEFAULT 0,                -- last change, microseconds since 1970 UTC; 0: never
  by       TEXT NOT NULL DEFAULT ''                   -- login of who changed it last
);

INSERT INTO urgent_texts (title, spoken, example) VALUES
  ('冒充燃气公司上门收费', '各位居民请注意：今天有人冒充燃气公司上门，让您扫码交费。燃气公司不会上门扫码收钱。请先关门，再打燃气公司的公开电话核实。拿不准，请打反诈专线九六幺幺零。', 1),
  ('冒充公检法电话', '各位居民请注意：今天有人打电话，自称公安民警，说您涉嫌犯罪，要您转账自证清白。警察不会在电话里办案，世上也没有安全账户。请马上挂断，再打九六幺幺零核实。', 1),
  ('冒充客服退款', '各位居民请注意：今天有人冒充平台客服，说要给您退款，让您打开屏幕共享。请先挂断，再到官方平台自己查。验证码和密码，谁问也不要说。拿不准，请打九六幺幺零。', 1),
  ('冒充领导熟人借钱', '各位居民请注意：今天有人用领导、亲友的名义，在网上急着借钱。请先打电话，听到本人的声音再说。声音和画面也能作假，多问一句，少亏一笔。拿不准，请打九六幺幺零。', 1),
  ('刷单返利', '各位居民请注意：今天有人在群里发兼职广告，先给几块钱甜头，再让您垫钱做任务。凡是要先垫付的兼职，都是诈骗。陌生链接不点，陌生群不进。拿不准，请打九六幺幺零。', 1);
