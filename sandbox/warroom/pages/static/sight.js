// The overview as far as it was told: what is new is put into it, as sandbox/room/overview_delta.py takes it apart.

const KEYS = {
  edges: ["caller", "callee"], flows: ["source", "target"], nodes: ["service"], jobs: ["view"], versions: ["of", "version"],
  changes: ["world_ts", "target", "text"], alerts: ["rule"],
};

/** before: null where nothing is known yet. told: a message of kind `overview`. Returns another object, `before` stays. */
export function seen(before, told) {
  if (told.whole || !before) return told;
  const now = { ...before, world_ts: told.world_ts ?? before.world_ts, signals: { ...before.signals } };
  for (const [name, keys] of Object.entries(KEYS)) {
    const key = (row) => JSON.stringify(keys.map((of) => row[of]));
    const rows = new Map(before[name].map((row) => [key(row), row]));
    for (const row of told[name] ?? []) rows.set(key(row), row);
    for (const left of told.gone?.[name] ?? []) rows.delete(JSON.stringify(left));
    now[name] = [...rows.values()];
  }
  now.changes.sort((a, b) => a.world_ts - b.world_ts);
  for (const name of ["store", "stream"]) if (name in told) now[name] = told[name];
  for (const [name, points] of Object.entries(told.signals ?? {})) {
    now.signals[name] = [...new Map([...(before.signals[name] ?? []), ...points])].sort(([a], [b]) => a - b);
  }
  return now;
}
