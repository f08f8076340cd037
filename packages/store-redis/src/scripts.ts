/** The scripts. Each uses one key, and Redis runs it as a whole. They fail with WRONGTYPE if the key holds anything but a hash. */

/** The reply of the scripts if the key holds a hash that this package did not write. */
export const UNREADABLE = "unreadable";

const FIND = `
local found = redis.call("HMGET", KEYS[1], "version", "value")
if not (found[1] and found[2]) and redis.call("EXISTS", KEYS[1]) == 1 then return "${UNREADABLE}" end`;

/** Replies with the version and the value, or with an empty list. Fails on a replica, as a change that changes nothing does. */
export const LOAD = `${FIND}
local change = redis.pcall("HDEL", KEYS[1], "")
if type(change) == "table" and change.err and change.err:find("READONLY", 1, true) then return change end
if not found[1] then return {} end
return found`;

/**
 * Saves if the version is still ARGV[1], which is "" before the first save. Notifies first, so that nothing is saved if that is forbidden.
 * A save that a client sends twice succeeds twice.
 */
export const SAVE = `${FIND}
local version = found[1] or ""
if version == ARGV[2] then return "saved" end
if version ~= ARGV[1] then return "conflict" end
redis.call("PUBLISH", ARGV[4], ARGV[5])
redis.call("HSET", KEYS[1], "version", ARGV[2], "value", ARGV[3], "updated_at", ARGV[6])
for index, field in ipairs({"status", "reason", "expires_at"}) do
  local text = ARGV[6 + index]
  if text == "" then redis.call("HDEL", KEYS[1], field) else redis.call("HSET", KEYS[1], field, text) end
end
return "saved"`;

/** Removes the session. */
export const REMOVE = `${FIND}
redis.call("PUBLISH", ARGV[1], ARGV[2])
redis.call("DEL", KEYS[1])
return "removed"`;
