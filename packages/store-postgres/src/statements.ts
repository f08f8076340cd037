/** The statements of a table whose name is quoted. Each names its columns in single lower-case words, for every client. */

export const createTable = (table: string): string => `create table if not exists ${table} (
  key text collate "C" primary key,
  version text not null,
  value text not null,
  status text,
  reason text,
  expires_at timestamptz,
  updated_at timestamptz not null default now()
)`;

/** Returns one row even if there is no session, so that a standby is always noticed. */
export const load = (table: string): string =>
  `select pg_is_in_recovery()::text as standby, s.version::text as version, s.value::text as value
  from (select 1) as one left join ${table} as s on s.key = $1::text`;

export const insert = (table: string): string =>
  `insert into ${table} (key, version, value, status, reason, expires_at, updated_at)
  values ($1::text, $2::text, $3::text, $4::text, $5::text, to_timestamp($6::text::float8), now())
  on conflict (key) do nothing
  returning version::text as version`;

/** `$7` is the expected version. */
export const update = (table: string): string =>
  `update ${table} set version = $2::text, value = $3::text, status = $4::text, reason = $5::text,
  expires_at = to_timestamp($6::text::float8), updated_at = now()
  where key = $1::text and version = $7::text
  returning version::text as version`;

export const remove = (table: string): string =>
  `delete from ${table} where key = $1::text
  returning version::text as version`;

/** Continues a `returning` clause: notifies a channel for each row that was changed, when the statement commits. */
export const notifying = (channel: number): string =>
  `, pg_notify($${channel}::text, $${channel + 1}::text)::text as notified`;

/** The keys from `$1` on and after `$2`. */
export const listKeys = (table: string, limit: number): string =>
  `select key::text as key from ${table}
  where key >= $1::text and key > $2::text
  order by key limit ${limit}`;
