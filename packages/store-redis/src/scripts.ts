/** The scripts. Each uses one key, and Redis runs it as a whole. They fail with WRONGTYPE if the key holds anything but a hash. */

/** What the scripts reply if the key holds a hash that this package did not write. */
export const UNREADABLE = "unreadable";

/** Replies with the version and the value, or with an empty list. A change that changes nothing makes it fail on a replica. */
export const LOAD = `
local found = redis.call("HMGET", KEYS[1], "version", "value")
if not (found[1] and found[2]) then
  if redis.call("EXISTS", KEYS[1]) == 1 then return "${UNREADABLE}" end
  found = {}
end
local change = redis.pcall("HDEL", KEYS[1], "")
if type(change) == "table" and change.err and change.err:find("READONLY", 1, true) then return change end
return found`;

/**
 * Saves if the version is still ARGV[1]: "" if there is none. Notifies first, so that nothing is saved if that is forbidden.
 * A save that a client sends twice succeeds twice.
 */
export const SAVE = `
local found = redis.call("HMGET", KEYS[1], "version", "value")
if not (found[1] and found[2]) and redis.call("EXISTS", KEYS[1]) == 1 then return "${UNREADABLE}" end
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

/** Removes whatever this package stored. */
export const REMOVE = `
if redis.call("HEXISTS", KEYS[1], "version") == 1 then
  redis.call("PUBLISH", ARGV[1], ARGV[2])
  redis.call("DEL", KEYS[1])
elseif redis.call("EXISTS", KEYS[1]) == 1 then
  return "${UNREADABLE}"
end
return "removed"`;
