-- Creates the table of @unexpired/store-postgres, as migrate() does. To use another name or schema, change it here, and pass it as `table`.
create table if not exists unexpired_sessions (
  key text collate "C" primary key,
  version text not null,
  value text not null, -- the session with its tokens
  status text, -- the columns from here on are for people; NULL if the session is sealed
  reason text,
  expires_at timestamptz,
  updated_at timestamptz not null default now()
);
